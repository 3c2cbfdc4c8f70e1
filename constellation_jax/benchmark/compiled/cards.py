"""NVIDIA cards as XLA's compiler sees them, from the vendor's data sheets: the compiler needs no such card."""

from __future__ import annotations

import dataclasses

_TARGET = """
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: {shared_per_core} shared_memory_per_block_optin: {shared_per_block} threads_per_core_limit: {threads}
  core_count: {cores} fpus_per_core: {lanes} block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: {bandwidth} l2_cache_size: {l2} clock_rate_ghz: {clock_ghz} device_memory_size: {memory}
  cuda_compute_capability {{ major: {major} minor: {minor} }} registers_per_core_limit: 65536 registers_per_block_limit: 65536
}}
platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 10 patch: 0 }} device_description_str: "{name}"
"""


@dataclasses.dataclass(frozen=True)
class Card:
    """Numbers of a card that decide how XLA cuts a program and how fast it may be."""

    key: str
    """Short name, as in tables."""
    name: str
    capability: tuple[int, int]
    """CUDA compute capability."""
    cores: int
    """Streaming multiprocessors."""
    lanes: int
    """Float32 operations that a multiprocessor begins in a cycle."""
    lanes_float64: int
    """Float64 operations that a multiprocessor begins in a cycle."""
    clock_ghz: float
    bandwidth: int
    """Bytes a second between the card's memory and its multiprocessors."""
    l2: int
    """Bytes of the second-level cache."""
    memory: int
    """Bytes of the card's memory."""
    shared_per_core: int
    """Bytes of shared memory of a multiprocessor, and of one block at most."""
    shared_per_block: int
    threads: int = 2048
    """Threads that a multiprocessor holds."""

    @property
    def target_config(self) -> str:
        """Describe the card to XLA (a GpuTargetConfigProto as text)."""
        major, minor = self.capability
        return _TARGET.format(**dataclasses.asdict(self), major=major, minor=minor)

    @property
    def lanes_per_s(self) -> float:
        return self.cores * self.lanes * self.clock_ghz * 1e9

    @property
    def lanes_float64_per_s(self) -> float:
        return self.cores * self.lanes_float64 * self.clock_ghz * 1e9


CARDS = {
    card.key: card
    for card in (
        Card(
            "H100", "NVIDIA H100 80GB HBM3", (9, 0), cores=132, lanes=128, lanes_float64=64, clock_ghz=1.98,
            bandwidth=3_352_320_000_000, l2=50 << 20, memory=84_942_979_072, shared_per_core=233_472, shared_per_block=232_448,
        ),
        Card(
            "A100", "NVIDIA A100-SXM4-40GB", (8, 0), cores=108, lanes=64, lanes_float64=32, clock_ghz=1.41,
            bandwidth=1_555_200_000_000, l2=40 << 20, memory=42_331_013_120, shared_per_core=167_936, shared_per_block=166_912,
        ),
        Card(
            "T4", "Tesla T4", (7, 5), cores=40, lanes=64, lanes_float64=2, clock_ghz=1.59, bandwidth=320_064_000_000, l2=4 << 20,
            memory=15_642_329_088, shared_per_core=65_536, shared_per_block=65_536, threads=1024,
        ),
    )
}  # fmt: skip
"""Cards by key, from that of data centres to that of Colab, which has the float64 units of a card for games."""

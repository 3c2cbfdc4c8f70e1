"""Run the Python examples of pages of docs/ and write what they print below them: python scripts/run_pages.py [PAGE ...]

A page is named without its ending; without names, all pages that show outputs are run, a quarter of an hour. What a block prints
stands after it as a block of the language `output`. The slow tests fail where it differs from what is printed then, but for the
last digits.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT / "tests"))
from examples import run_examples  # noqa: E402 - found by the path above: tests are no package

_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```output\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_END = "\0"


def examples(text: str) -> list[tuple[str, str]]:
    """List the Python blocks of a page, each with the output that stands below it."""
    return [(found[1], found[2] or "") for found in _BLOCK.finditer(text)]


def outputs(name: str, codes: list[str], folder: Path, kept_kernels: dict[str, str]) -> list[str]:
    """Run the Python blocks of a page; return what each prints, without spaces at the ends of lines."""
    with_ends = [code for each in codes for code in (each, f"print({_END!r}, end='')")]
    printed = run_examples(name, with_ends, folder, kept_kernels).split(_END)[:-1]
    return ["".join(f"{line.rstrip()}\n" for line in text.splitlines()) for text in printed]


def write_anew(text: str, printed: list[str]) -> str:
    """Write a page with these outputs below its Python blocks."""
    left = iter(printed)

    def write(found: re.Match[str]) -> str:
        output = next(left)
        return f"```python\n{found[1]}```\n" + (f"\n```output\n{output}```\n" if output else "")

    return _BLOCK.sub(write, text)


def main() -> None:
    chosen = sys.argv[1:]
    kernels = {key: value for key, value in os.environ.items() if key == "JAX_COMPILATION_CACHE_DIR"}
    for page in sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts):
        text = page.read_text(encoding="utf-8")
        codes = [code for code, _ in examples(text)]
        has_outputs = any(output for _, output in examples(text))
        if codes and (page.stem in chosen or (has_outputs and not chosen)):
            with tempfile.TemporaryDirectory() as folder:
                printed = outputs(page.name, codes, Path(folder), kernels)
            page.write_text(write_anew(text, printed), encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: {sum(map(len, printed)):,} characters", flush=True)


if __name__ == "__main__":
    main()

"""constellation_jax: every satellite and every planned constellation, propagated together in JAX.

`import constellation_jax as cj` gives the public names that `__init__.pyi` declares, one import a line. Each is loaded when it is
first used: importing the package starts no JAX, changes no flag and opens no file but that list.
"""

import re
from importlib import import_module
from pathlib import Path

__version__ = "0.2.0.dev0"

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_PUBLIC = {
    public: (module, name)
    for module, name, public in re.findall(r"^from \.([\w.]*) import (\w+) as (\w+)", _STUB, re.MULTILINE)
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    parent = import_module(f".{module}", __name__)
    if not hasattr(parent, attribute):  # a submodule that nothing has imported yet
        import_module(f"{parent.__name__}.{attribute}")
    value = getattr(parent, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

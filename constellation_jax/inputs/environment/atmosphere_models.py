"""Names of the models of the atmosphere, without their tables: options and keys name one before JAX is imported."""

from typing import Final

from constellation_jax.errors import InputError, suggest

CALIBRATED: Final = "nrlmsise00-calibrated"
"""Name of the model that is used unless another one is asked for: NRLMSISE-00, made thinner under a quiet Sun."""
MODELS: Final = {
    CALIBRATED: "NRLMSISE-00 corrected under a quiet Sun",
    "nrlmsise00": "NRLMSISE-00",
    "nrlmsis21": "NRLMSIS 2.1",
}
"""Name of each model, and what text calls it. The plain NRLMSISE-00 serves comparisons; NRLMSIS 2.1 shows how far models differ."""


def check_model(model: str) -> None:
    """Check the name of a model of the atmosphere.

    Raises:
        InputError: an unknown one.
    """
    if model not in MODELS:
        raise InputError(
            f"atmosphere {model!r}: unknown model; known are {', '.join(MODELS)}{suggest(str(model), MODELS)}"
        )


def describe_model(model: str) -> str:
    """Describe a model for the attribute `atmosphere` of a Dataset."""
    return f"{model}: {MODELS[model]}, orbit means"

"""Seeds from seeds."""

# Torch's generators on the CPU look at so many values of a seed, and take others for one of these.
TORCH_SEEDS = 2**32


def mix_seeds(seed: int, number: int) -> int:
    """One 63-bit seed from two numbers, by the constants of splitmix64."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 1) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 31)) & 0x7FFFFFFFFFFFFFFF


def torch_seed(seed: int) -> int:
    """The seed to give to torch, so that seeds which differ by a multiple of 2**32 don't begin alike."""
    return seed if seed < TORCH_SEEDS else mix_seeds(seed, 0)

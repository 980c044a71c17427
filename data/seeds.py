"""Seeds from seeds."""


def mix_seeds(seed: int, number: int) -> int:
    """One 63-bit seed from two numbers, by the constants of splitmix64."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 1) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 31)) & 0x7FFFFFFFFFFFFFFF

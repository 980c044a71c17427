"""Systems and engines, and what follows from these alone: initial states, exponents, energies."""

"""Fields on a ring: exponential time differencing in Fourier space."""

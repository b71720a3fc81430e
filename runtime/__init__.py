"""Schedule to numbers: binding, kernels, training and inference in NumPy."""

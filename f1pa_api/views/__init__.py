"""The HTTP surface: each view takes the input, calls one function and answers."""

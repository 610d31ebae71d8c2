"""The pages: one module each with the constant `PAGE`, and one folder of the same name in `static/pages`."""

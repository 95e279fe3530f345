"""A transformer for pyspark, and its rule for tritonbuild."""

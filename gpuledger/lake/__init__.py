"""The data lake: every table as Parquet in a directory or bucket, and back into a store."""

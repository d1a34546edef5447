"""`barsmith predict` from a clone: python scripts/batch_inference.py --bundle bundles/NAME --input bars.parquet --output signals.parquet."""

from door import door

door("predict")

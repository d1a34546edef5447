"""`barsmith train` from a clone: python scripts/train_model.py --model xgboost --horizon 20."""

from door import door

door("train")

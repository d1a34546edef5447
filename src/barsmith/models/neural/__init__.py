"""Networks on windows: one trainer, one file format, one scorer; a model's file holds its architecture and nothing else."""

import os
import sys

if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "passive"  # else threads that wait spin: beside other processes ten times slower
    try:
        import torch  # noqa: F401 - its OpenMP reads the variable while it is loaded, and never again
    finally:
        del os.environ["OMP_WAIT_POLICY"]

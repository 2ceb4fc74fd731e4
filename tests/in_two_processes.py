"""One of two processes: joins the other, calls `global_batch_results` of a test file and writes what it returns."""

import runpy
import sys

import numpy as np
import torch.distributed as dist

if __name__ == "__main__":
    test_file, meeting_place, rank, results = sys.argv[1:]
    compute = runpy.run_path(test_file)["global_batch_results"]
    dist.init_process_group("gloo", init_method=f"file://{meeting_place}", rank=int(rank), world_size=2)
    np.savez(results, **compute())
    dist.barrier()
    dist.destroy_process_group()

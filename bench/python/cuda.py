"""PyTorch on CUDA: the singular values by cuSOLVER, and a power iteration. Prints one JSON object.

Arguments: a file of float32 numbers, rows, columns, rounds, and the seconds that all rounds of one row may take.
"""

import json
import sys
import time

try:
    import numpy as np
    import torch
except Exception as error:
    print(json.dumps({"missing": "torch: %s" % error}))
    sys.exit(0)
if not torch.cuda.is_available():
    print(json.dumps({"missing": "torch %s finds no CUDA device" % torch.__version__}))
    sys.exit(0)

path, rows, cols, rounds, budget = sys.argv[1], *map(float, sys.argv[2:])
shape = int(rows), int(cols)
A = torch.from_numpy(np.fromfile(path, dtype=np.float32).reshape(shape)).cuda()
# Full float32, as ours.
torch.backends.cuda.matmul.allow_tf32 = False


def power(most=10000, every=10):
    """A fixed matrix of start vectors; looks at the residual of AᵀA every few steps, as each look waits."""
    generator = torch.Generator(device="cuda").manual_seed(0)
    x = torch.randn(shape[1], device="cuda", generator=generator)
    x /= torch.linalg.vector_norm(x)
    for step in range(1, most + 1):
        z = A.T @ (A @ x)
        size = torch.linalg.vector_norm(z)
        if step % every == 0 and (torch.linalg.vector_norm(z - size * x) <= 1e-6 * size).item():
            break
        x = z / size
    sigma = torch.linalg.vector_norm(A @ x)
    return float(sigma), step


def timed(run):
    found = run()
    torch.cuda.synchronize()
    times = []
    begun = time.perf_counter()
    while len(times) < rounds and (not times or time.perf_counter() - begun < budget):
        begin = time.perf_counter()
        found = run()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - begin))
    return found, times


values, dense = timed(lambda: torch.linalg.svdvals(A))
(sigma, steps), iterated = timed(power)
print(
    json.dumps(
        {
            "versions": {"torch": torch.__version__, "cuda": torch.version.cuda},
            "device": torch.cuda.get_device_name(),
            "rows": [
                {"name": "PyTorch CUDA svdvals", "sigma": float(values[0]), "ms": dense},
                {
                    "name": "PyTorch CUDA power iteration, to a residual of 1e-6",
                    "sigma": sigma,
                    "steps": steps,
                    "ms": iterated,
                },
            ],
        }
    )
)

/**
 * The notebook's five methods in PyTorch, behind a protocol of JSON lines: a request on standard
 * input, its answer on standard output. The loop stays open so that PyTorch takes its turn between
 * the other methods instead of running in a block of its own.
 */
export const pytorchScript = String.raw`
import base64, ctypes, json, sys, time

answers = sys.stdout
sys.stdout = sys.stderr


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


try:
    import torch
except Exception as error:
    answer({"error": type(error).__name__ + ": " + str(error)})
    sys.exit(0)


def power_unrolled(A: torch.Tensor, atol: float = 1e-6, rtol: float = 1e-6, maxiter: int = 1000) -> torch.Tensor:
    x = torch.randn(A.shape[1], dtype=A.dtype, device=A.device)
    x = x / torch.linalg.vector_norm(x)
    z = A.T @ (A @ x)
    length = torch.linalg.vector_norm(z)
    eigenvalue = length / torch.linalg.vector_norm(x)
    for _ in range(maxiter):
        x = z / length
        z = A.T @ (A @ x)
        length = torch.linalg.vector_norm(z)
        eigenvalue = length / torch.linalg.vector_norm(x)
        residual = torch.linalg.vector_norm(z - eigenvalue * x)
        if bool(residual <= rtol * torch.linalg.vector_norm(eigenvalue * x) + atol):
            break
    return torch.sqrt(eigenvalue)


class PowerCustom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, A, atol=1e-6, rtol=1e-6, maxiter=1000):
        x = torch.randn(A.shape[1], dtype=A.dtype, device=A.device)
        x = x / torch.linalg.vector_norm(x)
        z = A.T @ (A @ x)
        length = torch.linalg.vector_norm(z)
        eigenvalue = length / torch.linalg.vector_norm(x)
        for _ in range(maxiter):
            x = z / length
            z = A.T @ (A @ x)
            length = torch.linalg.vector_norm(z)
            eigenvalue = length / torch.linalg.vector_norm(x)
            residual = torch.linalg.vector_norm(z - eigenvalue * x)
            if residual <= rtol * torch.linalg.vector_norm(eigenvalue * x) + atol:
                break
        sigma = torch.sqrt(eigenvalue)
        v = x / torch.linalg.vector_norm(x)
        u = A @ v / sigma
        ctx.save_for_backward(u / torch.linalg.vector_norm(u), v)
        return sigma

    @staticmethod
    def backward(ctx, grad_output):
        u, v = ctx.saved_tensors
        return grad_output * torch.outer(u, v), None, None, None


try:
    import warnings

    warnings.simplefilter("ignore")
    spectral_norm = torch.jit.script(power_unrolled)
    compiled = True
except Exception:
    spectral_norm = power_unrolled
    compiled = False

METHODS = {
    "norm": lambda A: torch.linalg.norm(A, ord=2),
    "matrix_norm": lambda A: torch.linalg.matrix_norm(A, ord=2),
    "svdvals": lambda A: torch.linalg.svdvals(A)[0],
    "spectral_norm": spectral_norm,
    "SpectralNorm": lambda A: PowerCustom.apply(A),
}


def entries(request, key="data"):
    raw = bytearray(base64.b64decode(request[key]))
    return torch.frombuffer(raw, dtype=torch.float64).reshape(request["rows"], request["cols"])


def evaluate(request):
    A = entries(request).clone().requires_grad_(True)
    value = METHODS[request["method"]](A)
    value.backward()
    return {"value": value.item(), "gradient": encoded(A.grad)}


def encoded(tensor):
    tensor = tensor.contiguous()
    # Not through numpy, which a Python with torch need not have.
    raw = ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())
    return base64.b64encode(raw).decode("ascii")


def hessian(request, in_loss):
    A = entries(request).clone().requires_grad_(True)
    E = entries(request, "direction")
    sigma = METHODS[request["method"]](A)
    (slope,) = torch.autograd.grad(sigma * sigma / 2 if in_loss else sigma, A, create_graph=True)
    (product,) = torch.autograd.grad((slope * E).sum(), A)
    if not in_loss:
        return product
    # What the second derivative of the norm adds to that of half its square.
    with torch.no_grad():
        G = slope / sigma
        return (product - G * (G * E).sum()) / sigma


def second(request):
    try:
        return {"hessian": encoded(hessian(request, False))}
    except Exception as error:
        why = type(error).__name__ + ": " + str(error)
    # A norm is mostly a term of something else, where the same backward may go through, and be wrong.
    try:
        return {"hessian": encoded(hessian(request, True)), "alone": why}
    except Exception:
        return {"alone": why}


def clock(request):
    method = METHODS[request["method"]]
    shape = (request["rows"], request["cols"])
    matrices = [torch.randn(shape, dtype=torch.float32).requires_grad_(True) for _ in range(request["loops"])]
    begin = time.perf_counter()
    for A in matrices:
        method(A).backward()
    return {"ms": (time.perf_counter() - begin) * 1000 / len(matrices)}


ACTIONS = {"evaluate": evaluate, "second": second, "time": clock}
torch.manual_seed(int(sys.argv[1]))
answer({"torch": torch.__version__, "python": sys.version.split()[0], "threads": torch.get_num_threads(), "compiled": compiled})
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer(ACTIONS[request["do"]](request))
    except Exception as error:
        answer({"error": type(error).__name__ + ": " + str(error)})
`;

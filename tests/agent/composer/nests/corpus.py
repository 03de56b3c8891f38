"""References in many people's NumPy: each a function body, its arguments, its dims, and a size to try."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Written:
    """One reference.

    Attributes:
        source: The function `reference`, after `import numpy as np`; what stands before it may define helpers.
        arguments: As `role name dtype shape`.
        sizes: A value for each dim, in the order of `dims`.
        whole: For integer inputs, the values that may be drawn: from 0 up to it.
    """

    name: str
    source: str
    arguments: tuple[str, ...]
    dims: str
    sizes: tuple[int, ...]
    whole: str = ""

    @property
    def reference(self) -> str:
        return f"import numpy as np\n\n\n{self.source.strip()}\n"


def _of(name: str, arguments: str, sizes: str, source: str, whole: str = "") -> Written:
    parts = tuple(text.strip() for text in arguments.split(";"))
    dims, values = zip(*(text.split("=") for text in sizes.split()), strict=True)
    return Written(name, source, parts, " ".join(dims), tuple(map(int, values)), whole)


X = "in x float32 n; out y float32 n"
ROWS = "in x float32 rows, cols; out y float32 rows, cols"

CORPUS: tuple[Written, ...] = (
    _of("gelu_tanh", X, "n=70", """
def reference(x, n):
    c = np.sqrt(2.0 / np.pi)
    return {"y": 0.5 * x * (1.0 + np.tanh(c * (x + 0.044715 * x ** 3)))}
"""),
    _of("gelu_erf_by_helper", X, "n=70", """
from special import erf

def gelu(v):
    return 0.5 * v * (1 + erf(v / np.sqrt(2)))

def reference(x, n):
    return {"y": gelu(x)}
"""),
    _of("lambda_activations", X, "n=70", """
def reference(x, n):
    mish = lambda t: t * np.tanh(np.log1p(np.exp(t)))
    swish = lambda t: t / (1 + np.exp(-t))
    return {"y": mish(x) - swish(x)}
"""),
    _of("hard_swish", X, "n=70", """
def reference(x, n):
    return {"y": x * np.clip(x + 3, 0, 6) / 6}
"""),
    _of("selu", X, "n=70", """
def reference(x, n):
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return {"y": scale * np.where(x > 0, x, alpha * np.expm1(x))}
"""),
    _of("layer_norm", "in x float32 rows, cols; in g float32 cols; in b float32 cols; out y float32 rows, cols",
        "rows=5 cols=37", """
def reference(x, g, b, rows, cols):
    mu = x.mean(axis=1, keepdims=True)
    var = ((x - mu) ** 2).mean(axis=1, keepdims=True)
    return {"y": (x - mu) / np.sqrt(var + 1e-5) * g + b}
"""),
    _of("rms_norm", "in x float32 rows, cols; in w float32 cols; out y float32 rows, cols", "rows=5 cols=37", """
def reference(x, w, rows, cols):
    scale = 1 / np.sqrt(np.mean(np.square(x), axis=-1) + 1e-6)
    return {"y": x * scale[:, None] * w[None, :]}
"""),
    _of("group_norm", "in x float32 b, 2 * c, h; out y float32 b, 2 * c, h", "b=2 c=3 h=10", """
def reference(x, b, c, h):
    grouped = x.reshape(b, 2, c * h)
    m = grouped.mean(axis=2, keepdims=True)
    s = grouped.std(axis=2, keepdims=True)
    return {"y": ((grouped - m) / (s + 1e-3)).reshape(b, 2 * c, h)}
"""),
    _of("batch_norm_eval", "in x float32 b, c, h; in mean float32 c; in var float32 c; out y float32 b, c, h",
        "b=2 c=3 h=10", """
def reference(x, mean, var, b, c, h):
    inv = 1.0 / np.sqrt(np.abs(var) + 1e-5)
    return {"y": (x - mean[np.newaxis, :, np.newaxis]) * inv.reshape(1, -1, 1)}
"""),
    _of("softmax_over_first_axis", ROWS, "rows=9 cols=33", """
def reference(x, rows, cols):
    z = x - np.max(x, axis=0)
    e = np.exp(z)
    return {"y": e / np.sum(e, axis=0, keepdims=True)}
"""),
    _of("log_softmax_by_rows_in_a_loop", ROWS, "rows=5 cols=33", """
def reference(x, rows, cols):
    y = np.empty_like(x)
    for r in range(rows):
        row = x[r]
        top = row.max()
        y[r] = row - top - np.log(np.exp(row - top).sum())
    return {"y": y}
"""),
    _of("cross_entropy", "in logits float32 n, c; in labels int32 n; out loss float32 1", "n=6 c=17", """
def reference(logits, labels, n, c):
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return {"loss": -logp[np.arange(n), labels].mean().reshape(1)}
""", "c"),
    _of("mse", "in a float32 n; in b float32 n; out loss float32 1", "n=70", """
def reference(a, b, n):
    return {"loss": np.array([np.mean((a - b) ** 2)])}
"""),
    _of("huber", "in a float32 n; in b float32 n; out loss float32 1", "n=70", """
def reference(a, b, n):
    d = np.abs(a - b)
    loss = np.where(d <= 1.0, 0.5 * d * d, d - 0.5)
    return {"loss": loss.sum(keepdims=True) / n}
"""),
    _of("kl_divergence", "in p float32 n, c; in q float32 n, c; out d float32 n", "n=5 c=20", """
def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)

def reference(p, q, n, c):
    a, b = softmax(p), softmax(q)
    return {"d": np.sum(a * (np.log(a) - np.log(b)), axis=-1)}
"""),
    _of("cosine_similarity", "in a float32 n, d; in b float32 n, d; out s float32 n", "n=5 d=40", """
def reference(a, b, n, d):
    num = np.einsum("nd,nd->n", a, b)
    return {"s": num / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-8)}
"""),
    _of("pairwise_distances", "in a float32 n, d; in b float32 m, d; out s float32 n, m", "n=6 m=9 d=12", """
def reference(a, b, n, m, d):
    diff = a[:, None, :] - b[None, :, :]
    return {"s": np.sqrt((diff ** 2).sum(-1))}
"""),
    _of("adamw", "inout w float32 n; in g float32 n; inout m float32 n; inout v float32 n", "n=70", """
def reference(w, g, m, v, n):
    lr, b1, b2, eps, wd = 1e-3, 0.9, 0.999, 1e-8, 0.01
    m = b1 * m + (1 - b1) * g
    v = b2 * np.abs(v) + (1 - b2) * g * g
    w = w * (1 - lr * wd) - lr * m / (np.sqrt(v) + eps)
    return {"w": w, "m": m, "v": v}
"""),
    _of("sgd_momentum_in_place", "inout w float32 n; in g float32 n; inout v float32 n", "n=70", """
def reference(w, g, v, n):
    v *= 0.9
    v += g
    w -= 0.01 * v
    return {"w": w, "v": v}
"""),
    _of("matmul_bias_relu", "in a float32 m, k; in b float32 k, n; in c float32 n; out y float32 m, n",
        "m=9 k=20 n=13", """
def reference(a, b, c, m, k, n):
    return {"y": np.maximum(a @ b + c, 0)}
"""),
    _of("batched_matmul", "in a float32 b, m, k; in w float32 b, k, n; out y float32 b, m, n", "b=3 m=5 k=8 n=7", """
def reference(a, w, b, m, k, n):
    return {"y": np.matmul(a, w)}
"""),
    _of("einsum_product", "in a float32 b, m, k; in w float32 n, k; out y float32 b, n, m", "b=3 m=5 k=8 n=7", """
def reference(a, w, b, m, k, n):
    return {"y": np.einsum("bmk,nk->bnm", a, w)}
"""),
    _of("matmul_by_loops", "in a float32 m, k; in b float32 k, n; out y float32 m, n", "m=5 k=8 n=7", """
def reference(a, b, m, k, n):
    y = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            for p in range(k):
                y[i, j] += a[i, p] * b[p, j]
    return {"y": y}
"""),
    _of("matvec_by_rows", "in a float32 m, k; in x float32 k; out y float32 m", "m=5 k=40", """
def reference(a, x, m, k):
    y = np.zeros(m)
    for i in range(m):
        total = 0.0
        for j in range(k):
            total += a[i, j] * x[j]
        y[i] = total
    return {"y": y}
"""),
    _of("attention", "in q float32 h, s, d; in k float32 h, s, d; in v float32 h, s, d; out o float32 h, s, d",
        "h=2 s=9 d=8", """
def reference(q, k, v, h, s, d):
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(d)
    scores = scores - scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return {"o": weights @ v}
"""),
    _of("causal_attention", "in q float32 s, d; in k float32 s, d; in v float32 s, d; out o float32 s, d",
        "s=11 d=8", """
def reference(q, k, v, s, d):
    scores = (q @ k.T) * (d ** -0.5)
    mask = np.tril(np.ones((s, s), dtype=bool))
    scores = np.where(mask, scores, -1e9)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return {"o": (e / e.sum(-1, keepdims=True)) @ v}
"""),
    _of("multi_head_by_reshape", "in x float32 s, 2 * d; in w float32 2 * d, 2 * d; out y float32 2, s, d",
        "s=7 d=6", """
def reference(x, w, s, d):
    return {"y": (x @ w).reshape(s, 2, d).transpose(1, 0, 2)}
"""),
    _of("rotary_embedding", "in x float32 s, 2 * d; out y float32 s, 2 * d", "s=7 d=6", """
def reference(x, s, d):
    pos = np.arange(s)[:, None]
    freq = 1.0 / (100.0 ** (np.arange(d) / d))
    angle = pos * freq
    a, b = x[:, :d], x[:, d:]
    return {"y": np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], axis=1)}
"""),
    _of("rotary_interleaved", "in x float32 s, 2 * d; out y float32 s, 2 * d", "s=7 d=6", """
def reference(x, s, d):
    angle = np.outer(np.arange(s), 0.1 ** (np.arange(d) / d))
    y = np.empty_like(x)
    y[:, 0::2] = x[:, 0::2] * np.cos(angle) - x[:, 1::2] * np.sin(angle)
    y[:, 1::2] = x[:, 0::2] * np.sin(angle) + x[:, 1::2] * np.cos(angle)
    return {"y": y}
"""),
    _of("swiglu", "in x float32 n, 2 * d; out y float32 n, d", "n=5 d=9", """
def reference(x, n, d):
    gate, up = np.split(x, 2, axis=1)
    return {"y": gate / (1 + np.exp(-gate)) * up}
"""),
    _of("embedding", "in table float32 v, d; in ids int32 n; out y float32 n, d", "v=11 d=5 n=8", """
def reference(table, ids, v, d, n):
    return {"y": table[ids]}
""", "v"),
    _of("gather_with_take", "in x float32 v; in ids int64 n; out y float32 n", "v=11 n=8", """
def reference(x, ids, v, n):
    return {"y": np.take(x, ids) * 2}
""", "v"),
    _of("one_hot", "in ids int32 n; out y float32 n, c", "n=8 c=5", """
def reference(ids, n, c):
    return {"y": (ids[:, None] == np.arange(c)[None, :]).astype(np.float32)}
""", "c"),
    _of("conv2d_by_taps", "in x float32 c, h, w; in k float32 o, c, 3, 3; out y float32 o, h, w",
        "c=2 o=3 h=7 w=9", """
def reference(x, k, c, o, h, w):
    p = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    y = np.zeros((o, h, w))
    for i in range(3):
        for j in range(3):
            y += np.einsum("oc,chw->ohw", k[:, :, i, j], p[:, i:i + h, j:j + w])
    return {"y": y}
"""),
    _of("conv2d_valid_by_windows", "in x float32 h + 2, w + 2; in k float32 3, 3; out y float32 h, w", "h=6 w=9", """
def reference(x, k, h, w):
    v = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    return {"y": np.einsum("hwij,ij->hw", v, k)}
"""),
    _of("conv1d_by_loops", "in x float32 n + 4; in k float32 5; out y float32 n", "n=40", """
def reference(x, k, n):
    y = np.zeros(n)
    for i in range(n):
        for j in range(5):
            y[i] += x[i + j] * k[j]
    return {"y": y}
"""),
    _of("depthwise_stride_two", "in x float32 c, 2 * h, 2 * w; out y float32 c, h, w", "c=2 h=5 w=6", """
def reference(x, c, h, w):
    return {"y": (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4}
"""),
    _of("max_pool_by_reshape", "in x float32 c, 2 * h, 2 * w; out y float32 c, h, w", "c=2 h=5 w=6", """
def reference(x, c, h, w):
    return {"y": x.reshape(c, h, 2, w, 2).max(axis=(2, 4))}
"""),
    _of("max_pool_three_d", "in x float32 d, h, w; out y float32 d // 2, h // 2, w // 2", "d=4 h=6 w=9", """
def reference(x, d, h, w):
    x = x[: d // 2 * 2, : h // 2 * 2, : w // 2 * 2]
    return {"y": x.reshape(d // 2, 2, h // 2, 2, w // 2, 2).max(axis=(1, 3, 5))}
"""),
    _of("average_pool_padded", "in x float32 h, w; out y float32 h, w", "h=6 w=9", """
def reference(x, h, w):
    p = np.pad(x, 1, mode="edge")
    total = sum(p[i:i + h, j:j + w] for i in range(3) for j in range(1))
    return {"y": total / 3}
""" .replace(" for i in range(3) for j in range(1))", " for i, j in [(0, 1), (1, 1), (2, 1)])")),
    _of("jacobi_step", "in u float32 h, w; out v float32 h, w", "h=8 w=9", """
def reference(u, h, w):
    v = u.copy()
    v[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
    return {"v": v}
"""),
    _of("heat_two_steps_with_roll", X, "n=70", """
def reference(x, n):
    u = x
    for _ in range(2):
        u = u + 0.1 * (np.roll(u, 1) - 2 * u + np.roll(u, -1))
    return {"y": u}
"""),
    _of("laplacian_three_d", "in u float32 a, b, c; out v float32 a, b, c", "a=5 b=6 c=7", """
def reference(u, a, b, c):
    out = np.zeros_like(u)
    out[1:-1, 1:-1, 1:-1] = (
        u[2:, 1:-1, 1:-1] + u[:-2, 1:-1, 1:-1] + u[1:-1, 2:, 1:-1] + u[1:-1, :-2, 1:-1]
        + u[1:-1, 1:-1, 2:] + u[1:-1, 1:-1, :-2] - 6 * u[1:-1, 1:-1, 1:-1])
    return {"v": out}
"""),
    _of("sobel", "in x float32 h, w; out y float32 h - 2, w - 2", "h=8 w=9", """
def reference(x, h, w):
    gx = x[:-2, 2:] + 2 * x[1:-1, 2:] + x[2:, 2:] - x[:-2, :-2] - 2 * x[1:-1, :-2] - x[2:, :-2]
    gy = x[2:, :-2] + 2 * x[2:, 1:-1] + x[2:, 2:] - x[:-2, :-2] - 2 * x[:-2, 1:-1] - x[:-2, 2:]
    return {"y": np.hypot(gx, gy)}
"""),
    _of("prefix_sum", X, "n=700", """
def reference(x, n):
    return {"y": np.cumsum(x)}
"""),
    _of("row_running_maximum", ROWS, "rows=3 cols=300", """
def reference(x, rows, cols):
    return {"y": np.maximum.accumulate(x, axis=1)}
"""),
    _of("exclusive_scan", X, "n=70", """
def reference(x, n):
    return {"y": np.concatenate([np.zeros(1), np.cumsum(x)[:-1]])}
"""),
    _of("integral_image", "in x float32 h, w; out y float32 h, w", "h=6 w=9", """
def reference(x, h, w):
    return {"y": x.cumsum(axis=0).cumsum(axis=1)}
"""),
    _of("reverse_rows", ROWS, "rows=3 cols=11", """
def reference(x, rows, cols):
    return {"y": x[:, ::-1]}
"""),
    _of("reverse_in_place", "inout x float32 n", "n=71", """
def reference(x, n):
    return {"x": np.flip(x)}
"""),
    _of("transpose_four", "in x float32 a, b, c; out y float32 c, a, b", "a=3 b=4 c=5", """
def reference(x, a, b, c):
    return {"y": np.transpose(x, (2, 0, 1))}
"""),
    _of("tile_and_repeat", "in x float32 n; out y float32 n, 2 * n", "n=7", """
def reference(x, n):
    return {"y": np.tile(np.repeat(x, 2), (n, 1)) + x[:, None]}
"""),
    _of("upsample", "in x float32 h, w; out y float32 2 * h, 2 * w", "h=4 w=5", """
def reference(x, h, w):
    return {"y": x.repeat(2, axis=0).repeat(2, axis=1)}
"""),
    _of("pixel_shuffle", "in x float32 4 * c, h, w; out y float32 c, 2 * h, 2 * w", "c=2 h=3 w=5", """
def reference(x, c, h, w):
    y = x.reshape(c, 2, 2, h, w).transpose(0, 3, 1, 4, 2)
    return {"y": y.reshape(c, h * 2, w * 2)}
"""),
    _of("argmax_rows", "in x float32 rows, cols; out y int32 rows", "rows=5 cols=37", """
def reference(x, rows, cols):
    return {"y": np.argmax(x, axis=1)}
"""),
    _of("argmin_as_wide_integers", "in x float32 rows, cols; out y int64 rows", "rows=5 cols=37", """
def reference(x, rows, cols):
    return {"y": np.argmin(x, axis=1)}
"""),
    _of("sort_rows", ROWS, "rows=3 cols=37", """
def reference(x, rows, cols):
    return {"y": np.sort(x, axis=1)}
"""),
    _of("top_k_values", "in x float32 rows, cols; out y float32 rows, 4", "rows=3 cols=37", """
def reference(x, rows, cols):
    return {"y": np.sort(x, axis=-1)[:, ::-1][:, :4]}
"""),
    _of("histogram", "in x int32 n; out h int32 k", "n=200 k=9", """
def reference(x, n, k):
    return {"h": np.bincount(x, minlength=k)}
""", "k"),
    _of("histogram_by_comparison", "in x int32 n; out h int64 k", "n=200 k=9", """
def reference(x, n, k):
    return {"h": np.array((x[None, :] == np.arange(k)[:, None]).sum(axis=1))}
""", "k"),
    _of("quantise_rows", "in x float32 rows, cols; out q int32 rows, cols; out s float32 rows", "rows=3 cols=37", """
def reference(x, rows, cols):
    scale = np.abs(x).max(axis=1) / 127
    q = np.clip(np.floor(x / scale[:, None] + 0.5), -127, 127)
    return {"q": q.astype(np.int32), "s": scale}
"""),
    _of("dequantise", "in q int32 rows, cols; in s float32 rows; out y float32 rows, cols", "rows=3 cols=37", """
def reference(q, s, rows, cols):
    return {"y": (q - 8).astype(np.float64) * s[:, np.newaxis]}
""", "16"),
    _of("bits", "in a int32 n; in b int32 n; out y int32 n", "n=70", """
def reference(a, b, n):
    return {"y": ((a ^ b) & 255) | ((a >> 3) << 1)}
""", "1000"),
    _of("modulo_and_division", "in a int32 n; out y int32 n", "n=70", """
def reference(a, n):
    return {"y": (a % 7) * 10 + a // 7}
"""),
    _of("collatz_step", "in a int32 n; out y int32 n", "n=70", """
def reference(a, n):
    return {"y": np.where(a % 2 == 0, a // 2, 3 * a + 1)}
""", "1000"),
    _of("sparse_rows", "in v float32 n, k; in j int32 n, k; in x float32 m; out y float32 n", "n=9 k=4 m=12", """
def reference(v, j, x, n, k, m):
    return {"y": (v * x[j]).sum(axis=1)}
""", "m"),
    _of("black_scholes", "in s float32 n; in k float32 n; out c float32 n", "n=70", """
from special import ndtr

def reference(s, k, n):
    r, sigma, t = 0.02, 0.3, 1.0
    s, k = np.abs(s) + 1, np.abs(k) + 1
    d1 = (np.log(s / k) + (r + sigma ** 2 / 2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    return {"c": s * ndtr(d1) - k * np.exp(-r * t) * ndtr(d2)}
"""),
    _of("n_body", "in p float32 n, 3; in m float32 n; out a float32 n, 3", "n=20", """
def reference(p, m, n):
    acc = np.zeros((n, 3))
    for i in range(n):
        d = p - p[i]
        r2 = (d * d).sum(axis=1) + 1e-2
        acc[i] = (np.abs(m)[:, None] * d / (r2 * np.sqrt(r2))[:, None]).sum(axis=0)
    return {"a": acc}
"""),
    _of("lennard_jones_energy", "in p float32 n, 3; out e float32 n", "n=12", """
def reference(p, n):
    d2 = ((p[:, None] - p[None]) ** 2).sum(-1) + np.eye(n) + 0.5
    inv = 1 / d2 ** 3
    return {"e": (4 * (inv ** 2 - inv) * (1 - np.eye(n))).sum(axis=1)}
"""),
    _of("mandelbrot", "in cr float32 n; in ci float32 n; out y int32 n", "n=70", """
def reference(cr, ci, n):
    zr = np.zeros(n)
    zi = np.zeros(n)
    count = np.zeros(n, dtype=int)
    for _ in range(4):
        inside = zr * zr + zi * zi <= 4
        count = count + inside
        zr, zi = np.where(inside, zr * zr - zi * zi + cr, zr), np.where(inside, 2 * zr * zi + ci, zi)
    return {"y": count}
"""),
    _of("complex_product", "in ar float32 n; in ai float32 n; in br float32 n; in bi float32 n; out re float32 n; "
        "out im float32 n", "n=70", """
def reference(ar, ai, br, bi, n):
    return {"re": ar * br - ai * bi, "im": ar * bi + ai * br}
"""),
    _of("polynomial_by_horner", X, "n=70", """
COEFFICIENTS = [0.5, -1.25, 0.75, 2.0]

def reference(x, n):
    y = np.full_like(x, COEFFICIENTS[0])
    for c in COEFFICIENTS[1:]:
        y = y * x + c
    return {"y": y}
"""),
    _of("moving_average", "in x float32 n; out y float32 n - 4", "n=70", """
def reference(x, n):
    return {"y": np.convolve(x, np.ones(5) / 5, mode="valid")}
"""),
    _of("masked_mean", "in x float32 rows, cols; in m bool rows, cols; out y float32 rows", "rows=4 cols=30", """
def reference(x, m, rows, cols):
    w = m.astype(float)
    return {"y": (x * w).sum(1) / np.maximum(w.sum(1), 1)}
"""),
    _of("mask_stored", X, "n=70", """
def reference(x, n):
    y = x.copy()
    y[y < 0] = 0
    return {"y": y}
"""),
    _of("gram_and_moments", "in x float32 n, d; in t float32 n; out g float32 d, d; out r float32 d", "n=30 d=4", """
def reference(x, t, n, d):
    return {"g": x.T @ x, "r": x.T @ t}
"""),
    _of("least_squares_with_a_ridge", "in x float32 n, d; in t float32 n; out w float32 d", "n=40 d=6", """
def reference(x, t, n, d):
    return {"w": np.linalg.solve(x.T @ x + np.eye(d), x.T @ t)}
"""),
    _of("flattened", "in x float32 n, m, k; out y float32 n * m * k", "n=3 m=4 k=5", """
def reference(x, n, m, k):
    return {"y": x.reshape(-1) * 2}
"""),
    _of("triangular_loop_over_rows", "in x float32 n, n; out y float32 n", "n=9", """
def reference(x, n):
    y = np.zeros(n)
    for i in range(n):
        for j in range(i + 1):
            y[i] += x[i, j]
    return {"y": y}
"""),
    _of("sums_stored_inside", "in x float32 m, n; out y float32 n", "m=5 n=9", """
def reference(x, m, n):
    y = np.ones(n)
    for i in range(m):
        y[1:-1] *= x[i, 1:-1]
    return {"y": y}
"""),
    _of("standardise_columns", ROWS, "rows=30 cols=7", """
def reference(x, rows, cols):
    return {"y": (x - x.mean(0)) / (x.std(0) + 1e-3)}
"""),
    _of("monte_carlo_pi", "in x float32 n; in y float32 n; out p float32 1", "n=500", """
def reference(x, y, n):
    inside = (x * x + y * y <= 1.0)
    return {"p": np.array([4.0 * inside.sum() / n])}
"""),
    _of("trapezoid", "in f float32 n; out s float32 1", "n=500", """
def reference(f, n):
    h = 1.0 / (n - 1)
    return {"s": np.atleast_1d(h * (f.sum() - 0.5 * (f[0] + f[-1])))}
"""),
    _of("dft_magnitude", "in x float32 n; out y float32 n", "n=24", """
def reference(x, n):
    k = np.arange(n)
    angle = -2 * np.pi * np.outer(k, k) / n
    re, im = np.cos(angle) @ x, np.sin(angle) @ x
    return {"y": np.sqrt(re ** 2 + im ** 2)}
"""),
    _of("bilinear_half", "in x float32 h, w; out y float32 h - 1, w - 1", "h=6 w=7", """
def reference(x, h, w):
    rows = 0.5 * (x[1:] + x[:-1])
    return {"y": 0.5 * (rows[:, 1:] + rows[:, :-1])}
"""),
    _of("vander", "in x float32 n; out y float32 n, 4", "n=20", """
def reference(x, n):
    return {"y": np.stack([x ** i for i in range(4)], axis=1)}
"""),
    _of("truths_added_up", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    return {"y": ((x > 0) + (x < 1)).astype(float) + ((x > 0).astype(int) + (x < 1))}
"""),
    _of("mask_of_zeros_and_ones", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    m = np.zeros(n, dtype=bool)
    m[x > 0] = True
    return {"y": np.where(~m, x, -x) + m.sum()}
"""),
    _of("reals_stored_as_whole_numbers", "in x float32 n; out y int32 n", "n=40", """
def reference(x, n):
    y = np.zeros(n, int)
    y[:] = x * 10
    return {"y": y * 2}
"""),
    _of("ring_by_negative_indices", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    y = np.zeros(n)
    for i in range(n):
        y[i] = x[i - 1] + x[(i + 1) % n]
    return {"y": y}
"""),
    _of("nested_comprehensions", "in x float32 n, m; out y float32 n, m", "n=12 m=9", """
def reference(x, n, m):
    return {"y": np.array([[x[i, j] ** 2 for j in range(m)] for i in range(n)])}
"""),
    _of("rows_listed_then_stacked", "in x float32 n, m; out y float32 m, n", "n=5 m=7", """
def reference(x, n, m):
    rows = [x[i] - x[i].mean() for i in range(n)]
    return {"y": np.stack(rows, axis=1) + len(rows)}
"""),
    _of("prefixes_listed", "in x float32 n; out y float32 n", "n=16", """
def reference(x, n):
    return {"y": np.array([x[:i + 1].sum() for i in range(n)])}
"""),
    _of("division_of_negative_numbers", "in a int32 n; in b int32 n; out y float32 n", "n=40", """
def reference(a, b, n):
    return {"y": (a - 10) / (b + 1) + (a - 10) // (b + 1) + (a - 10) % (b + 1) + (a - 10) // -3 + (a - 10) % -3}
""", "20"),
    _of("first_of_equal_extremes", "in a int32 n, m; out y int32 n", "n=9 m=30", """
def reference(a, n, m):
    return {"y": np.argmax(a, axis=1) * 100 + a.argmin(-1)}
""", "3"),
    _of("first_that_holds", "in x float32 n, m; out y int32 n", "n=9 m=5", """
def reference(x, n, m):
    return {"y": np.argmax(x > 0.3, axis=1) + (x > 0).min(1)}
"""),
    _of("clip_on_one_side", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    return {"y": np.clip(x, None, 0.5) + x.clip(min=0) + np.clip(x, a_min=-1, a_max=None)}
"""),
    _of("weighted_average_of_whole_numbers", "in a int32 n, m; out y float32 n", "n=9 m=30", """
def reference(a, n, m):
    return {"y": a.mean(1) + a.std(axis=-1) + np.average(a, axis=1, weights=np.arange(m) + 1)}
""", "30"),
    _of("padding_in_four_ways", "in x float32 n; out y float32 n + 4", "n=12", """
def reference(x, n):
    return {"y": np.pad(x, 2, mode="reflect") + np.pad(x, (1, 3), "edge") + np.pad(x, (3, 1), "wrap") + np.pad(x, 2, constant_values=7)}
"""),
    _of("defaults_and_closures", "in x float32 n; out y float32 n", "n=12", """
k = 3
def f(x, k=k):
    k = k + 1
    return x * k
def reference(x, n):
    k = 10
    fs = [lambda t, i=i: t * i for i in range(3)]
    return {"y": f(x) + k + fs[0](x) + fs[1](x) + fs[2](x)}
"""),
    _of("two_names_for_one_array", "in x float32 n, m; out y float32 m; out z float32 m", "n=12 m=5", """
def reference(x, n, m):
    a = np.zeros(m)
    b = a
    for i in range(n):
        a += x[i]
    return {"y": a, "z": b}
"""),
    _of("inner_of_matrices", "in x float32 n, m; in z float32 k, m; out y float32 n, k", "n=5 m=6 k=7", """
def reference(x, z, n, m, k):
    return {"y": np.inner(x, z)}
"""),
    _of("words_in_a_dict", "in x float32 n; out y float32 n", "n=9", """
def scale(x, **kw):
    return x * kw["by"] + kw["off"]
def reference(x, n):
    d = dict(by=2, off=1)
    return {**{"y": scale(x, **d)}}
"""),
    _of("whole_powers", "in a int32 n; out y int32 n", "n=9", """
def reference(a, n):
    return {"y": (a ** 5) % 7 + 2 ** a + (-1) ** a}
""", "5"),
    _of("numbers_beside_gathered_indices", "in x float32 a, b, c; in j int32 k; out y float32 k, b", "a=3 b=4 c=5 k=6", """
def reference(x, j, a, b, c, k):
    return {"y": x[0, :, j]}
""", "3"),
    _of("loop_names_used_again", "in x float32 h, w; out y float32 h - 2, w - 2", "h=7 w=6", """
def reference(x, h, w):
    y = np.zeros((h - 2, w - 2))
    for i in range(3):
        for j in range(3):
            y += x[i:i + h - 2, j:j + w - 2]
    z = np.zeros((h - 2, w - 2))
    for a in range(h - 2):
        for b in range(w - 2):
            m = x[a, b]
            for i in range(3):
                for j in range(3):
                    m = np.maximum(m, x[a + i, b + j])
            z[a, b] = m
    return {"y": y + z}
"""),
    _of("row_extremes_by_loops", "in x float32 n, m; out y float32 n; out s float32 1", "n=6 m=7", """
def reference(x, n, m):
    s = 0.0
    y = np.zeros(n)
    for i in range(n):
        best = x[i, 0]
        for j in range(1, m):
            best = max(best, x[i, j])
        y[i] = best
        s += best
    return {"y": y, "s": np.array([s])}
"""),
    _of("stores_that_broadcast", "in x float32 n, m; out y float32 n, m", "n=6 m=4", """
def reference(x, n, m):
    y = np.zeros((n, m))
    y[:, 1:] = x[:1, 1:]
    y[:, 0] = 5
    y[-1] += 2
    y[::2] *= 3
    return {"y": y}
"""),
    _of("convolutions_and_correlations", "in x float32 n; in k float32 4; out y float32 n; out z float32 n + 3; out v float32 n - 3; out c float32 n", "n=28", """
def reference(x, k, n):
    return {"y": np.convolve(x, k, "same"), "z": np.convolve(k, x), "v": np.correlate(x, k), "c": np.correlate(x, k, "same")}
"""),
    _of("einsum_of_diagonals", "in x float32 n, n; in b float32 k, n, m; in c float32 k, m; out y float32 1; out z float32 n; out t float32 n, n; out w float32 k, n", "n=5 m=4 k=3", """
def reference(x, b, c, n, m, k):
    return {"y": np.array([np.einsum("ii", x) + np.trace(x)]), "z": np.einsum("ii->i", x) + np.diag(x), "t": np.einsum("ij->ji", x) + np.diag(x[0]), "w": np.einsum("...nm,...m->...n", b, c)}
"""),
    _of("triangular_loops", "in x float32 n, n; out y float32 n", "n=6", """
def reference(x, n):
    y = np.ones(n)
    for i in range(n):
        for j in range(i):
            y[j] += x[i, j] * 2
    return {"y": y}
"""),
    _of("slices_added_in_a_loop", "in x float32 n; out y float32 n", "n=6", """
def reference(x, n):
    y = np.zeros(n)
    for i in range(n):
        y[i:] += x[i]
    return {"y": y}
"""),
    _of("interleaved_stores", "in x float32 n; out y float32 2 * n", "n=8", """
def reference(x, n):
    y = np.zeros(2 * n)
    for i in range(n):
        y[2 * i] = x[i]
        y[2 * i + 1] = -x[i]
    return {"y": y}
"""),
    _of("a_loop_backwards", "in x float32 n; out y float32 n", "n=8", """
def reference(x, n):
    y = np.zeros(n)
    for i in range(n - 1, -1, -1):
        y[i] = x[i] * i
    return {"y": y}
"""),
    _of("slices_backwards", "in x float32 n; out y float32 n - 3", "n=9", """
def reference(x, n):
    return {"y": x[-2:0:-1][:n - 3] + x[n - 1:2:-1] + x[::-1][3:]}
"""),
    _of("triangles_of_truths", "in x float32 n, n; out y float32 n, n", "n=9", """
def reference(x, n):
    m = np.triu(np.ones((n, n), dtype=bool), k=1)
    return {"y": np.where(m, -1.0, x) + (~m) * x + np.tri(n) + np.logical_not(m) - np.logical_and(m, x)}
"""),
    _of("flat_index_of_two_loops", "in x float32 n, m; out y float32 n * m", "n=5 m=4", """
def reference(x, n, m):
    y = np.zeros(n * m)
    for i in range(n):
        for j in range(m):
            y[i * m + j] = x[i, j]
    return {"y": y}
"""),
    _of("softmax_by_loops", "in x float32 n, m; out y float32 n, m", "n=6 m=5", """
def reference(x, n, m):
    y = np.empty((n, m))
    for i in range(n):
        mx = -np.inf
        for j in range(m):
            mx = max(mx, x[i, j])
        s = 0.0
        for j in range(m):
            s += np.exp(x[i, j] - mx)
        for j in range(m):
            y[i, j] = np.exp(x[i, j] - mx) / s
    return {"y": y}
"""),
    _of("bits_in_place", "in a int32 n; out y int32 n", "n=17", """
def reference(a, n):
    b = a & 7
    b |= a >> 4
    b ^= 1 << (a & 3)
    return {"y": ~b + (-a >> 1) + np.left_shift(b, 2) + np.invert(b)}
""", "100"),
    _of("recurrence", X, "n=70", """
def reference(x, n):
    y = np.zeros(n)
    y[0] = x[0]
    for i in range(1, n):
        y[i] = 0.9 * y[i - 1] + x[i]
    return {"y": y}
"""),
    _of("scatter_add", "in x float32 n; in j int32 n; out y float32 m", "n=70 m=5", """
def reference(x, j, n, m):
    y = np.zeros(m)
    np.add.at(y, j, x)
    return {"y": y}
""", "m"),
    _of("value_of_the_turn_before", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    y = np.zeros(n)
    prev = 0.0
    for i in range(n):
        y[i] = x[i] - prev
        prev = x[i]
    return {"y": y}
"""),
    _of("running_total_read", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    y = np.zeros(n)
    t = 0.0
    for i in range(n):
        y[i] = t
        t += x[i]
    return {"y": y}
"""),
    _of("closure_over_the_turn_before", "in x float32 n; out y float32 n", "n=6", """
def reference(x, n):
    prev = 0.0
    y = np.zeros(n)
    def f(v):
        return v - prev
    for i in range(n):
        y[i] = f(x[i])
        prev = x[i]
    return {"y": y}
"""),
    _of("hash_that_wraps_around", "in x int32 n; out y int32 n", "n=5", """
def reference(x, n):
    h = x.astype(np.uint32) * np.uint32(2654435761)
    return {"y": (h >> 16).astype(np.int32)}
""", "5"),
    _of("running_mean", "in x float32 n; out y float32 1", "n=30", """
def reference(x, n):
    mean = 0.0
    for k in range(n):
        mean += (x[k] - mean) / (k + 1)
    return {"y": np.array([mean])}
"""),
    _of("rnn", "in x float32 t, d; in w float32 d, h; in u float32 h, h; out y float32 h", "t=6 d=4 h=5", """
def reference(x, w, u, t, d, h):
    s = np.zeros(h)
    for i in range(t):
        s = np.tanh(x[i] @ w + s @ u)
    return {"y": s}
"""),
    _of("jacobi_steps", "in a float32 n; out y float32 n", "n=12", """
def reference(a, n):
    y = a.copy()
    for t in range(n):
        y[1:-1] = 0.5 * (y[:-2] + y[2:])
    return {"y": y}
"""),
    _of("online_softmax", "in x float32 n; in v float32 n, d; out y float32 d", "n=12 d=5", """
def reference(x, v, n, d):
    m = -np.inf
    l = 0.0
    acc = np.zeros(d)
    for i in range(n):
        new = np.maximum(m, x[i])
        scale = np.exp(m - new)
        p = np.exp(x[i] - new)
        l = l * scale + p
        acc = acc * scale + p * v[i]
        m = new
    return {"y": acc / l}
"""),
    _of("uint8_wraps", "in a uint8 n; in b uint8 n; out y uint8 n", "n=50", """
def reference(a, b, n):
    return {"y": (a + b) // 2}
""", "256"),
    _of("last_wins", "in x float32 n, m; out y float32 m", "n=6 m=9", """
def reference(x, n, m):
    y = np.zeros(m)
    for i in range(n):
        y[:] = x[i]
    return {"y": y}
"""),
    _of("row_at_i", "in x float32 n; out y float32 n, n", "n=9", """
def reference(x, n):
    y = np.zeros((n, n))
    for i in range(n):
        row = np.zeros(n)
        row[i] = x[i]
        y[i] = row
    return {"y": y}
"""),
    _of("clip_by_percentile", "in x float32 n; out y float32 n", "n=41", """
def reference(x, n):
    lo, hi = np.percentile(x, 5), np.percentile(x, 95)
    return {"y": np.clip(x, lo, hi)}
"""),
    _of("groupnorm", "in x float32 b, c, l; in g float32 c; in be float32 c; out y float32 b, c, l", "b=2 c=8 l=5", """
def reference(x, g, be, b, c, l):
    z = x.reshape(b, 4, c // 4, l)
    mu = z.mean(axis=(2, 3), keepdims=True)
    var = z.var(axis=(2, 3), keepdims=True)
    z = (z - mu) / np.sqrt(var + 1e-5)
    return {"y": z.reshape(b, c, l) * g[None, :, None] + be[None, :, None]}
"""),
    _of("one_hot_ce_grad", "in x float32 n, c; in t int32 n; out g float32 n, c", "n=6 c=5", """
def reference(x, t, n, c):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    p[np.arange(n), t] -= 1
    return {"g": p / n}
""", "c"),
    _of("rank_transform", "in x float32 n; out y float32 n", "n=20", """
def reference(x, n):
    order = x.argsort(kind="stable")
    ranks = np.empty(n, dtype=np.int64)
    ranks[order] = np.arange(n)
    return {"y": ranks / (n - 1)}
"""),
    _of("unpack_int4", "in packed uint8 n; out y float32 2*n", "n=21", """
def reference(packed, n):
    lo = packed & 0x0F
    hi = packed >> 4
    both = np.stack([lo, hi], axis=1).reshape(-1)
    return {"y": both.astype(np.float32) - 8.0}
""", "256"),
    _of("selection_by_mask", "in x float32 n; out y float32 1", "n=70", """
def reference(x, n):
    return {"y": x[x > 0].mean().reshape(1)}
"""),
    _of("standardised_where_positive", "inout x float32 n, m; out v float32 1", "n=6 m=7", """
def reference(x, n, m):
    keep = x > 0
    some = x[keep]
    x[keep] = (some - some.mean()) / np.sqrt(some.var() + 1e-3)
    x[~keep] *= 2
    return {"x": x, "v": np.array([some.max() * len(some)])}
"""),
    _of("rotary_by_halves", "in x float32 s, h, d; out y float32 s, h, d", "s=5 h=2 d=8", """
def reference(x, s, h, d):
    half = d // 2
    inv = 1.0 / (10000 ** (np.arange(half) / half))
    ang = np.outer(np.arange(s), inv)
    cos, sin = np.cos(ang)[:, None, :], np.sin(ang)[:, None, :]
    x1, x2 = x[..., :half], x[..., half:]
    return {"y": np.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)}
"""),
)  # fmt: skip
"""What nests express; each is compiled and run."""

BEYOND: tuple[tuple[Written, str], ...] = (
    (_of("data_dependent_branch", X, "n=70", """
def reference(x, n):
    if x.sum() > 0:
        return {"y": x}
    return {"y": -x}
"""), "a branch that depends on data"),
    (_of("inverse", "in a float32 n, n; out b float32 n, n", "n=7", """
def reference(a, n):
    return {"b": np.linalg.inv(a)}
"""), "np.linalg.inv"),
    (_of("edges_unknown", "in x int32 n; out h int32 9", "n=70", """
def reference(x, n):
    return {"h": np.bincount(x)}
""", "9"), "without `minlength`"),
    (_of("list_grown_in_a_loop", "in x float32 n; out y float32 n", "n=40", """
def reference(x, n):
    out = []
    for i in range(n):
        out.append(x[i] * 2)
    return {"y": np.array(out)}
"""), "a list that a loop over a size changes"),
    (_of("rounding_to_digits", "in x float32 n; out y float32 n", "n=9", """
def reference(x, n):
    return {"y": np.round(x, decimals=2)}
"""), "`decimals` of np.round"),
    (_of("where_of_a_ufunc", "in x float32 n; out y float32 n", "n=9", """
def reference(x, n):
    return {"y": np.divide(1.0, x, where=x > 0, out=np.zeros(n)) + x.sum(where=x > 0)}
"""), "`where` of np.divide"),
    (_of("return_in_a_loop", "in x float32 n; out y float32 n", "n=9", """
def f(x, n):
    for i in range(n):
        return x * i
def reference(x, n):
    return {"y": f(x, n)}
"""), "`return` in a loop"),
    (_of("branch_on_a_size", "in x float32 n; out y float32 n", "n=9", """
def reference(x, n):
    if n % 2:
        x = x + 1
    return {"y": x}
"""), "a branch that depends on data or on sizes"),
    (_of("clipped_indices", "in x float32 a; in j int32 k; out y float32 k", "a=7 k=6", """
def reference(x, j, a, k):
    return {"y": np.take(x, j * 3, mode="clip")}
""", "5"), "np.take(x, j * 3, mode='clip')"),
    (_of("view_of_what_changed", "in x float32 n; out y float32 n", "n=9", """
def reference(x, n):
    v = x[::-1][:]
    x += 1
    return {"y": v}
"""), "a view is read after"),
    (_of("change_through_a_view", "in x float32 n, m; out y float32 n, m", "n=8 m=3", """
def reference(x, n, m):
    for r in range(3):
        col = x[:, r]
        col -= col.mean()
    return {"y": x}
"""), "storing through a view"),
    (_of("loop_name_after_the_loop", "in x float32 n; out y float32 n", "n=6", """
i = 7
def reference(x, n):
    for i in range(n):
        pass
    return {"y": x * i}
"""), "`i` is read after a loop"),
    (_of("decorator", "in x float32 n; out y float32 n", "n=6", """
@np.vectorize
def f(v):
    return v + 1
def reference(x, n):
    return {"y": f(x)}
"""), "the decorator `np.vectorize`"),
    (_of("slice_from_before_the_start", "in x float32 n; out y float32 n", "n=6", """
def reference(x, n):
    y = np.zeros(n)
    for i in range(n):
        y[i] = x[i - 2:i + 1].sum()
    return {"y": y}
"""), "may be negative"),
    (_of("mask_beside_an_index", "in x float32 n, m; out y float32 n, m", "n=9 m=4", """
def reference(x, n, m):
    y = np.zeros((n, m))
    y[x[:, 0] > 0, 1] = 3
    return {"y": y}
"""), "a mask beside other indices"),
    (_of("spectral_norm", "in x float32 n, m; out y float32 1", "n=9 m=4", """
def reference(x, n, m):
    return {"y": np.array([np.linalg.norm(x, ord=2, axis=(0, 1))])}
"""), "np.linalg.norm of order 2"),
    (_of("flat_index_with_the_wrong_stride", "in x float32 n, m; out y float32 n * m", "n=5 m=5", """
def reference(x, n, m):
    y = np.zeros(n * m)
    for i in range(n):
        for j in range(m):
            y[i * n + j] = x[i, j]
    return {"y": y}
"""), "several loops make up"),
    (_of("selection_stored_in_a_loop", "in x float32 n; in s float32 k; out y float32 n", "n=9 k=4", """
def reference(x, s, n, k):
    y = np.zeros(n)
    m = x > 0
    for i in range(k):
        y[m] = x[m] * s[i]
    return {"y": y}
"""), "storing at a mask in a loop"),
)  # fmt: skip
"""What they do not, each with what the refusal says."""

"""NumPy functions as other NumPy functions put together. The composer follows this text as it follows a reference.

What stands here is also run, and compared with NumPy's own functions, by the tests.
"""

# ruff: noqa: D103
# pyright: basic

import numpy as np


def median(a, axis=None, keepdims=False):
    return quantile(a, 0.5, axis=axis, keepdims=keepdims)


def percentile(a, q, axis=None, keepdims=False):
    return quantile(a, q / 100, axis=axis, keepdims=keepdims)


def quantile(a, q, axis=None, keepdims=False):
    if axis is None:
        assert not keepdims
        a = np.ravel(a)
        axis = 0
    ordered = np.sort(a, axis=axis)
    last = a.shape[axis] - 1
    if q == 0.5:
        below, above, share = last // 2, (last + 1) // 2, 0.5
    else:
        place = last * q
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, last)
        share = place - below
    found = np.take(ordered, below, axis=axis) * (1 - share) + np.take(ordered, above, axis=axis) * share
    return np.expand_dims(found, axis) if keepdims else found


def partition(a, kth, axis=-1):
    return np.sort(a, axis=axis)


def nansum(a, axis=None, keepdims=False):
    return np.sum(np.where(np.isnan(a), 0.0, a), axis=axis, keepdims=keepdims)


def nanmax(a, axis=None, keepdims=False):
    return np.max(np.where(np.isnan(a), -np.inf, a), axis=axis, keepdims=keepdims)


def nanmin(a, axis=None, keepdims=False):
    return np.min(np.where(np.isnan(a), np.inf, a), axis=axis, keepdims=keepdims)


def nanmean(a, axis=None, keepdims=False):
    count = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims)
    return nansum(a, axis=axis, keepdims=keepdims) / count


def nanvar(a, axis=None, ddof=0, keepdims=False):
    count = np.sum(~np.isnan(a), axis=axis, keepdims=keepdims)
    gap = a - nanmean(a, axis=axis, keepdims=True)
    return nansum(gap * gap, axis=axis, keepdims=keepdims) / (count - ddof)


def nanstd(a, axis=None, ddof=0, keepdims=False):
    return np.sqrt(nanvar(a, axis=axis, ddof=ddof, keepdims=keepdims))


def cov(m, rowvar=True, bias=False, ddof=None):
    if m.ndim == 1:
        m = np.expand_dims(m, 0)
    elif not rowvar:
        m = m.T
    if ddof is None:
        ddof = 0 if bias else 1
    gap = m - np.mean(m, axis=1, keepdims=True)
    return np.squeeze(gap @ gap.T / (m.shape[1] - ddof))


def corrcoef(x, rowvar=True):
    together = cov(x, rowvar=rowvar)
    spread = np.sqrt(np.diag(together))
    return together / spread[:, None] / spread[None, :]


def cross(a, b, axis=-1):
    x = np.moveaxis(a, axis, -1)
    y = np.moveaxis(b, axis, -1)
    first = x[..., 1] * y[..., 2] - x[..., 2] * y[..., 1]
    second = x[..., 2] * y[..., 0] - x[..., 0] * y[..., 2]
    third = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    return np.stack([first, second, third], axis=axis)


def kron(a, b):
    blocks = a[:, None, :, None] * b[None, :, None, :]
    return np.reshape(blocks, (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))


def vander(x, N=None, increasing=False):
    count = x.shape[0] if N is None else N
    powers = np.arange(count) if increasing else np.arange(count - 1, -1, -1)
    return x[:, None] ** powers[None, :]


def diagflat(v):
    return np.diag(np.ravel(v))


def rot90(m, k=1, axes=(0, 1)):
    k = k % 4
    if k == 0:
        return np.copy(m)
    if k == 2:
        return np.flip(np.flip(m, axes[0]), axes[1])
    turned = np.swapaxes(m, axes[0], axes[1])
    return np.flip(turned, axes[0] if k == 1 else axes[1])


def gradient(f, h=1.0, axis=None):
    if axis is None and f.ndim > 1:
        return [gradient(f, h, axis=at) for at in range(f.ndim)]
    g = np.moveaxis(f, 0 if axis is None else axis, 0)
    inner = (g[2:] - g[:-2]) / 2
    found = np.concatenate([g[1:2] - g[0:1], inner, g[-1:] - g[-2:-1]]) / h
    return np.moveaxis(found, 0, 0 if axis is None else axis)


def trapezoid(y, x=None, dx=1.0, axis=-1):
    z = np.moveaxis(y, axis, -1)
    width = dx if x is None else np.diff(x)
    return np.sum(width * (z[..., 1:] + z[..., :-1]) / 2, axis=-1)


def trapz(y, x=None, dx=1.0, axis=-1):
    return trapezoid(y, x, dx, axis)


def interp(x, xp, fp):
    last = xp.shape[0] - 2
    below = np.minimum(np.maximum(np.searchsorted(xp, x, side="right") - 1, 0), last)
    left, right = xp[below], xp[below + 1]
    share = np.clip((x - left) / (right - left), 0.0, 1.0)
    return fp[below] * (1 - share) + fp[below + 1] * share


def digitize(x, bins, right=False):
    return np.searchsorted(bins, x, side="left" if right else "right")


def polyval(p, x):
    y = np.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def isclose(a, b, rtol=1e-5, atol=1e-8):
    return np.abs(a - b) <= atol + rtol * np.abs(b)


def sinc(x):
    y = np.pi * np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.sin(y) / y)


def hanning(M):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(M) / (M - 1))


def hamming(M):
    return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(M) / (M - 1))


def dstack(tup):
    return np.concatenate([one if one.ndim > 2 else np.expand_dims(one, 2) for one in tup], axis=2)


def hsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=0 if ary.ndim == 1 else 1)


def vsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=0)


def atleast_2d(a):
    return a if a.ndim > 1 else np.expand_dims(a, 0)


def matrix_transpose(x):
    return np.swapaxes(x, -1, -2)


def vecdot(x1, x2):
    return np.sum(x1 * x2, axis=-1)


def matvec(x1, x2):
    return np.sum(x1 * np.expand_dims(x2, -2), axis=-1)


def ediff1d(ary):
    return np.diff(np.ravel(ary))


def cumulative_sum(x, axis=None):
    return np.cumsum(x, axis=axis)


def fix(x):
    return np.trunc(x)


def ix_(*args):
    count = len(args)
    return tuple(np.reshape(one, (1,) * at + (-1,) + (1,) * (count - at - 1)) for at, one in enumerate(args))


def put_along_axis(arr, indices, values, axis):
    if arr.ndim == 1:
        arr[indices] = values
    elif axis in (1, -1):
        arr[np.arange(arr.shape[0])[:, None], indices] = values
    else:
        arr[indices, np.arange(arr.shape[1])[None, :]] = values

// Kernels over short rows or plain vectors, a block a row: addition, dot product, softmax, layer norm.
#include <cuda_fp16.h>

// Sums and maxima of a warp and of a block of `Threads`, in every thread.
template <typename T>
struct Add {
    __device__ T operator()(T a, T b) const { return a + b; }
};
struct Most {
    __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <int Width, typename T, typename Join>
__device__ __forceinline__ T warp_join(T value, Join join) {
#pragma unroll
    for (int apart = Width >> 1; apart; apart >>= 1) value = join(value, __shfl_xor_sync(0xffffffff, value, apart));
    return value;
}

template <int Threads, typename T, typename Join>
__device__ __forceinline__ T block_join(T value, T none, Join join) {
    constexpr int Warps = (Threads + 31) / 32;
    __shared__ T part[Warps];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    value = warp_join<32>(value, join);
    if (lane == 0) part[warp] = value;
    __syncthreads();
    value = lane < Warps ? part[lane] : none;
    value = warp_join<Warps>(value, join);
    return __shfl_sync(0xffffffff, value, 0, 32);
}

// Addition

template <typename T>
__global__ void add(const T* x, const T* y, T* z, int n) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) z[at] = x[at] + y[at];
}

__global__ void add_float4(const float* x, const float* y, float* z, int n) {
    int at = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= n) return;
    float4 u = *(const float4*)&x[at], v = *(const float4*)&y[at];
    *(float4*)&z[at] = {u.x + v.x, u.y + v.y, u.z + v.z, u.w + v.w};
}

// `Pairs` pairs a thread in accesses of four bytes, or of sixteen.
template <int Pairs, bool Packed>
__global__ void add_pairs(const half* x, const half* y, half* z, int n) {
    int at = 2 * Pairs * (blockIdx.x * blockDim.x + threadIdx.x);
    half2 u[Pairs], v[Pairs], w[Pairs];
    if constexpr (Packed) {
        *(float4*)u = *(const float4*)&x[at];
        *(float4*)v = *(const float4*)&y[at];
    } else {
        if (Pairs == 1 && at >= n) return;
#pragma unroll
        for (int i = 0; i < Pairs; i++) u[i] = *(const half2*)&x[at + 2 * i];
#pragma unroll
        for (int i = 0; i < Pairs; i++) v[i] = *(const half2*)&y[at + 2 * i];
    }
#pragma unroll
    for (int i = 0; i < Pairs; i++) w[i] = __hadd2(u[i], v[i]);
    if constexpr (Packed) {
        if (at + 7 < n) *(float4*)&z[at] = *(float4*)w;
    } else {
#pragma unroll
        for (int i = 0; i < Pairs; i++)
            if (at + 2 * i < n) *(half2*)&z[at + 2 * i] = w[i];
    }
}

// Dot product: a sum a block by shuffles, one float atomic a block.

template <int Threads>
__device__ __forceinline__ void finish(float value, float* sum) {
    constexpr int Warps = Threads / 32;
    __shared__ float part[Warps];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    value = warp_join<32>(value, Add<float>());
    if (lane == 0) part[warp] = value;
    __syncthreads();
    value = lane < Warps ? part[lane] : 0;
    if (warp == 0) value = warp_join<Warps>(value, Add<float>());
    if (threadIdx.x == 0) atomicAdd(sum, value);
}

template <int Threads>
__global__ void dot_float(const float* x, const float* y, float* sum, int n) {
    int at = blockIdx.x * Threads + threadIdx.x;
    finish<Threads>(at < n ? x[at] * y[at] : 0, sum);
}

template <int Threads>
__global__ void dot_float4(const float* x, const float* y, float* sum, int n) {
    int at = 4 * (blockIdx.x * Threads + threadIdx.x);
    float4 u = *(const float4*)&x[at], v = *(const float4*)&y[at];
    finish<Threads>(at < n ? u.x * v.x + u.y * v.y + u.z * v.z + u.w * v.w : 0, sum);
}

template <int Threads>
__global__ void dot_half(const half* x, const half* y, float* sum, int n) {
    int at = blockIdx.x * Threads + threadIdx.x;
    half product = at < n ? __hmul(x[at], y[at]) : __float2half(0);
    finish<Threads>(__half2float(product), sum);
}

template <int Threads, int Pairs>
__global__ void dot_pairs(const half* x, const half* y, float* sum, int n) {
    int at = 2 * Pairs * (blockIdx.x * Threads + threadIdx.x);
    half2 u[Pairs], v[Pairs];
    if constexpr (Pairs == 4) {
        *(float4*)u = *(const float4*)&x[at];
        *(float4*)v = *(const float4*)&y[at];
    } else {
        u[0] = *(const half2*)&x[at];
        v[0] = *(const half2*)&y[at];
    }
    half2 product = __float2half2_rn(0);
#pragma unroll
    for (int i = 0; i < Pairs; i++) product = __hadd2(product, __hmul2(u[i], v[i]));
    finish<Threads>(at < n ? __half2float(__hadd(product.x, product.y)) : 0, sum);
}

// Softmax

enum Way { NO_MAXIMUM, SAFE };

template <int Threads, Way W>
__global__ void softmax_float(const float* x, float* y, int n) {
    int at = blockIdx.x * Threads + threadIdx.x;
    float value = at < n ? x[at] : (W == SAFE ? -INFINITY : 0);
    float most = W == SAFE ? block_join<Threads>(value, -INFINITY, Most()) : 0;
    float power = at < n ? __expf(value - most) : 0;
    float sum = block_join<Threads>(power, 0.0f, Add<float>());
    if (at < n) y[at] = power / sum;
}

template <int Threads, Way W>
__global__ void softmax_float4(const float* x, float* y, int n) {
    int at = 4 * (blockIdx.x * Threads + threadIdx.x);
    float4 value = *(const float4*)&x[at];
    float most = 0;
    if constexpr (W == SAFE)
        most = block_join<Threads>(fmaxf(fmaxf(value.x, value.y), fmaxf(value.z, value.w)), -INFINITY, Most());
    float4 power = {__expf(value.x - most), __expf(value.y - most), __expf(value.z - most), __expf(value.w - most)};
    float sum = block_join<Threads>(power.x + power.y + power.z + power.w, 0.0f, Add<float>());
    if (at + 3 < n) *(float4*)&y[at] = {power.x / sum, power.y / sum, power.z / sum, power.w / sum};
}

// Maximum and sum as one pair.
struct Pair {
    float most, sum;
};

__device__ __forceinline__ Pair join(Pair a, Pair b) {
    Pair larger = a.most > b.most ? a : b, smaller = a.most > b.most ? b : a;
    return {larger.most, larger.sum + smaller.sum * __expf(smaller.most - larger.most)};
}

template <int Width>
__device__ __forceinline__ Pair warp_pair(Pair value) {
#pragma unroll
    for (int apart = Width >> 1; apart; apart >>= 1) {
        Pair other = {__shfl_xor_sync(0xffffffff, value.most, apart), __shfl_xor_sync(0xffffffff, value.sum, apart)};
        value = join(value, other);
    }
    return value;
}

template <int Threads>
__device__ __forceinline__ Pair block_pair(Pair value) {
    constexpr int Warps = Threads / 32;
    __shared__ Pair part[Warps];
    int thread = threadIdx.x;
    value = warp_pair<32>(value);
    if (thread % 32 == 0) part[thread / 32] = value;
    __syncthreads();
    if (thread < 32) {
        value = warp_pair<Warps>(thread < Warps ? part[thread] : Pair{-INFINITY, 0});
        if (thread == 0) part[0] = value;
    }
    __syncthreads();
    return part[0];
}

template <int Threads>
__global__ void softmax_online(const float* x, float* y, int n) {
    int at = blockIdx.x * Threads + threadIdx.x;
    float value = at < n ? x[at] : -INFINITY;
    Pair all = block_pair<Threads>({value, at < n ? 1.0f : 0.0f});
    if (at < n) y[at] = __expf(value - all.most) * __fdividef(1.0f, all.sum);
}

template <int Threads>
__global__ void softmax_online4(const float* x, float* y, int n) {
    int at = 4 * (blockIdx.x * Threads + threadIdx.x);
    float4 value = *(const float4*)&x[at];
    float most = fmaxf(fmaxf(value.x, value.y), fmaxf(value.z, value.w));
    float sum = __expf(value.x - most) + __expf(value.y - most) + __expf(value.z - most) + __expf(value.w - most);
    Pair all = block_pair<Threads>({most, sum});
    float scale = __fdividef(1.0f, all.sum);
    if (at < n)
        *(float4*)&y[at] = {__expf(value.x - all.most) * scale, __expf(value.y - all.most) * scale,
                            __expf(value.z - all.most) * scale, __expf(value.w - all.most) * scale};
}

template <int Threads>
__global__ void softmax_half(const half* x, half* y, int n) {
    int at = blockIdx.x * Threads + threadIdx.x;
    float value = at < n ? __half2float(x[at]) : -INFINITY;
    float most = block_join<Threads>(value, -INFINITY, Most());
    float power = at < n ? __expf(value - most) : 0;
    float sum = block_join<Threads>(power, 0.0f, Add<float>());
    if (at < n) y[at] = __float2half_rn(power / sum);
}

template <int Threads>
__global__ void softmax_half2(const half* x, half* y, int n) {
    int at = 2 * (blockIdx.x * Threads + threadIdx.x);
    float2 value = __half22float2(*(const half2*)&x[at]);
    float most = block_join<Threads>(fmaxf(value.x, value.y), -INFINITY, Most());
    float2 power = {__expf(value.x - most), __expf(value.y - most)};
    float sum = block_join<Threads>(power.x + power.y, 0.0f, Add<float>());
    if (at + 1 < n) *(half2*)&y[at] = __float22half2_rn({power.x / sum, power.y / sum});
}

template <int Threads>
__global__ void softmax_half8(const half* x, half* y, int n) {
    int at = 8 * (blockIdx.x * Threads + threadIdx.x);
    half held[8], out[8];
    *(float4*)held = *(const float4*)&x[at];
    float most = -INFINITY, sum = 0, power[8];
#pragma unroll
    for (int i = 0; i < 8; i++) most = fmaxf(most, __half2float(held[i]));
    most = block_join<Threads>(most, -INFINITY, Most());
#pragma unroll
    for (int i = 0; i < 8; i++) sum += power[i] = __expf(__half2float(held[i]) - most);
    sum = block_join<Threads>(sum, 0.0f, Add<float>());
#pragma unroll
    for (int i = 0; i < 8; i++) out[i] = __float2half_rn(power[i] / sum);
    if (at + 7 < n) *(float4*)&y[at] = *(float4*)out;
}

// Layer norm: mean, then variance, each by a sum over the block; g and b are numbers.

template <int Threads>
__global__ void norm_float(const float* x, float* y, float g, float b, int rows, int columns) {
    int at = blockIdx.x * columns + threadIdx.x;
    __shared__ float mean, scale;
    float value = at < rows * columns ? x[at] : 0;
    float sum = block_join<Threads>(value, 0.0f, Add<float>());
    if (threadIdx.x == 0) mean = sum / columns;
    __syncthreads();
    float squares = block_join<Threads>((value - mean) * (value - mean), 0.0f, Add<float>());
    if (threadIdx.x == 0) scale = rsqrtf(squares / columns + 1e-5f);
    __syncthreads();
    if (at < rows * columns) y[at] = (value - mean) * scale * g + b;
}

template <int Threads>
__global__ void norm_float4(const float* x, float* y, float g, float b, int rows, int columns) {
    int at = 4 * (blockIdx.x * Threads + threadIdx.x);
    __shared__ float mean, scale;
    float4 value = *(const float4*)&x[at];
    float sum = block_join<Threads>(value.x + value.y + value.z + value.w, 0.0f, Add<float>());
    if (threadIdx.x == 0) mean = sum / columns;
    __syncthreads();
    float4 away = {value.x - mean, value.y - mean, value.z - mean, value.w - mean};
    float squares = away.x * away.x + away.y * away.y + away.z * away.z + away.w * away.w;
    squares = block_join<Threads>(squares, 0.0f, Add<float>());
    if (threadIdx.x == 0) scale = rsqrtf(squares / columns + 1e-5f);
    __syncthreads();
    if (at < rows * columns)
        *(float4*)&y[at] = {away.x * scale * g + b, away.y * scale * g + b, away.z * scale * g + b,
                            away.w * scale * g + b};
}

// Of float16: `Each` elements a thread, read in units of `Bytes`, with arithmetic in `T`.
template <typename T>
__device__ __forceinline__ T as(half value) {
    return (T)value;
}

template <typename T>
__device__ __forceinline__ T inverse_root(T value) {
    if constexpr (sizeof(T) == 2)
        return hrsqrt(value);
    else
        return rsqrtf(value);
}

template <int Threads, int Each, int Bytes, typename T>
__global__ void norm_half(const half* x, half* y, float g, float b, int rows, int columns) {
    int at = Each * (blockIdx.x * Threads + threadIdx.x);
    __shared__ T mean, scale;
    half held[Each];
    constexpr int Unit = Bytes / 2;
#pragma unroll
    for (int i = 0; i < Each; i += Unit) {
        if constexpr (Bytes == 16)
            *(float4*)&held[i] = *(const float4*)&x[at + i];
        else if constexpr (Bytes == 4)
            *(half2*)&held[i] = *(const half2*)&x[at + i];
        else
            held[i] = x[at + i];
    }
    T none = (T)0.0f, sum = none, squares = none, size = (T)(float)columns, factor = (T)g, shift = (T)b;
#pragma unroll
    for (int i = 0; i < Each; i++) sum += as<T>(held[i]);
    sum = block_join<Threads>(sum, none, Add<T>());
    if (threadIdx.x == 0) mean = sum / size;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Each; i++) squares += (as<T>(held[i]) - mean) * (as<T>(held[i]) - mean);
    squares = block_join<Threads>(squares, none, Add<T>());
    if (threadIdx.x == 0) scale = inverse_root<T>(squares / size + (T)1e-5f);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Each; i++) held[i] = (half)((as<T>(held[i]) - mean) * scale * factor + shift);
#pragma unroll
    for (int i = 0; i < Each; i += Unit) {
        if constexpr (Bytes == 16)
            *(float4*)&y[at + i] = *(float4*)&held[i];
        else if constexpr (Bytes == 4)
            *(half2*)&y[at + i] = *(half2*)&held[i];
        else
            y[at + i] = held[i];
    }
}

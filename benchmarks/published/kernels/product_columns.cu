// c = a b of float32, column major.

#define AT(m, row, column) m[(row) + (column) * n]

// A thread for each result, lanes along the contiguous dimension.
__global__ void plain(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    int x = threadIdx.x, y = threadIdx.y;
    a += blockIdx.x * 32;
    b += blockIdx.y * 32 * n;
    c += blockIdx.x * 32 + blockIdx.y * 32 * n;
    float sum = 0;
    for (int k = 0; k < n; k++) sum += AT(a, x, k) * AT(b, k, y);
    AT(c, x, y) = alpha * sum + beta * AT(c, x, y);
}

// Tiles whose rows are walked by lanes 32 words apart (`Turned` false), or laid out so that lanes are neighbours.
template <bool Flat, bool Turned>
__global__ __launch_bounds__(1024) void tiles(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[1024], right[1024];
    int x = Flat ? threadIdx.x & 31 : threadIdx.x, y = Flat ? threadIdx.x >> 5 : threadIdx.y;
    a += blockIdx.x * 32;
    b += blockIdx.y * 32 * n;
    c += blockIdx.x * 32 + blockIdx.y * 32 * n;
    float sum = 0;
    for (int first = 0; first < n; first += 32) {
        left[Turned ? y * 32 + x : x * 32 + y] = AT(a, x, y);
        right[Turned ? x * 32 + y : y * 32 + x] = AT(b, x, y);
        a += n << 5;
        b += 32;
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 32; k++)
            sum += left[Turned ? k * 32 + x : x * 32 + k] * right[Turned ? k * 32 + y : y * 32 + k];
        __syncthreads();
    }
    AT(c, x, y) = alpha * sum + beta * AT(c, x, y);
}

// Four results a thread, 256 threads; tiles filled one word or four at a time.
template <bool Wide>
__global__ __launch_bounds__(256) void four(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[1024], right[1024];
    int row = (threadIdx.x & 7) << 2, column = threadIdx.x >> 3;
    a += blockIdx.x * 32;
    b += blockIdx.y * 32 * n;
    c += blockIdx.x * 32 + blockIdx.y * 32 * n;
    float sum[4] = {};
    for (int first = 0; first < n; first += 32) {
        if constexpr (Wide) {
            float4 u = *(const float4*)&AT(a, row, column), v = *(const float4*)&AT(b, row, column);
            *(float4*)&left[column * 32 + row] = u;
            right[(row + 0) * 32 + column] = v.x;
            right[(row + 1) * 32 + column] = v.y;
            right[(row + 2) * 32 + column] = v.z;
            right[(row + 3) * 32 + column] = v.w;
        } else {
            for (int i = 0; i < 4; i++) {
                left[column * 32 + row + i] = AT(a, row + i, column);
                right[(row + i) * 32 + column] = AT(b, row + i, column);
            }
        }
        a += n << 5;
        b += 32;
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 32; k++) {
            float v = right[k * 32 + column];
            for (int i = 0; i < 4; i++) sum[i] += left[k * 32 + row + i] * v;
        }
        __syncthreads();
    }
    if constexpr (Wide) {
        float4 to = *(float4*)&AT(c, row, column);
        to.x = alpha * sum[0] + beta * to.x;
        to.y = alpha * sum[1] + beta * to.y;
        to.z = alpha * sum[2] + beta * to.z;
        to.w = alpha * sum[3] + beta * to.w;
        *(float4*)&AT(c, row, column) = to;
    } else {
        for (int i = 0; i < 4; i++) AT(c, row + i, column) = alpha * sum[i] + beta * AT(c, row + i, column);
    }
}

__device__ __forceinline__ void multiply(float (*sum)[4], float4 u, float4 v) {
    float left[4] = {u.x, u.y, u.z, u.w}, right[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) sum[j][i] += left[i] * right[j];
}

// Four by four results a thread from 64 x 64 tiles of depth 16.
__global__ __launch_bounds__(256) void four_by_four(
    int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[1024], right[1024];
    int row_a = (threadIdx.x & 15) << 2, column_a = threadIdx.x >> 4;
    int row_b = (threadIdx.x & 3) << 2, column_b = threadIdx.x >> 2;
    int row = (threadIdx.x & 15) << 2, column = (threadIdx.x >> 4) << 2;
    a += blockIdx.x * 64;
    b += blockIdx.y * 64 * n;
    c += blockIdx.x * 64 + blockIdx.y * 64 * n;
    float sum[4][4] = {};
    for (int first = 0; first < n; first += 16) {
        float4 u = *(const float4*)&AT(a, row_a, column_a), v = *(const float4*)&AT(b, row_b, column_b);
        *(float4*)&left[column_a * 64 + row_a] = u;
        right[(row_b + 0) * 64 + column_b] = v.x;
        right[(row_b + 1) * 64 + column_b] = v.y;
        right[(row_b + 2) * 64 + column_b] = v.z;
        right[(row_b + 3) * 64 + column_b] = v.w;
        a += n << 4;
        b += 16;
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 16; k++)
            multiply(sum, *(float4*)&left[k * 64 + row], *(float4*)&right[k * 64 + column]);
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
        float4 to = *(float4*)&AT(c, row, column + j);
        to.x = alpha * sum[j][0] + beta * to.x;
        to.y = alpha * sum[j][1] + beta * to.y;
        to.z = alpha * sum[j][2] + beta * to.z;
        to.w = alpha * sum[j][3] + beta * to.w;
        *(float4*)&AT(c, row, column + j) = to;
    }
}

// Eight by eight results a thread from 128 x 128 tiles of depth 8: threads in a square or in warp tiles, the next
// tile read ahead into registers, and one or two buffers in shared memory.
template <bool Warps, bool Ahead, bool Two>
__global__ __launch_bounds__(256) void eight_by_eight(
    int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float lefts[Two ? 2048 : 1024], rights[Two ? 2048 : 1024];
    float *left = lefts, *right = rights;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int row_a = (threadIdx.x & 31) << 2, column_a = threadIdx.x >> 5;
    int row_b = (threadIdx.x & 1) << 2, column_b = threadIdx.x >> 1;
    int row = Warps ? (warp & 3) * 32 + (lane & 3) * 8 : (threadIdx.x & 15) << 3;
    int column = Warps ? (warp >> 2) * 64 + (lane >> 2) * 8 : (threadIdx.x >> 4) << 3;
    a += blockIdx.x * 128;
    b += blockIdx.y * 128 * n;
    c += blockIdx.x * 128 + blockIdx.y * 128 * n;
    float sums[4][4][4] = {};
    float4 u, v;
    auto read = [&] {
        u = *(const float4*)&AT(a, row_a, column_a);
        v = *(const float4*)&AT(b, row_b, column_b);
        a += n << 3;
        b += 8;
    };
    auto write = [&] {
        *(float4*)&left[column_a * 128 + row_a] = u;
        right[(row_b + 0) * 128 + column_b] = v.x;
        right[(row_b + 1) * 128 + column_b] = v.y;
        right[(row_b + 2) * 128 + column_b] = v.z;
        right[(row_b + 3) * 128 + column_b] = v.w;
    };
    auto compute = [&] {
#pragma unroll
        for (int k = 0; k < 8; k++) {
            float4 u0 = *(float4*)&left[k * 128 + row], u1 = *(float4*)&left[k * 128 + row + 4];
            float4 v0 = *(float4*)&right[k * 128 + column], v1 = *(float4*)&right[k * 128 + column + 4];
            multiply(sums[0], u0, v0);
            multiply(sums[1], u1, v0);
            multiply(sums[2], u0, v1);
            multiply(sums[3], u1, v1);
        }
    };
    if constexpr (Ahead) read();
    if constexpr (Two) {
        write();
        __syncthreads();
    }
    for (int first = 0; first < n; first += 8) {
        if constexpr (Two) {
            if (first + 8 < n) read();
            compute();
            left = lefts + (((first >> 3) + 1) & 1) * 1024;
            right = rights + (((first >> 3) + 1) & 1) * 1024;
            if (first + 8 < n) write();
            __syncthreads();
        } else {
            if constexpr (!Ahead) read();
            write();
            __syncthreads();
            if constexpr (Ahead) {
                if (first + 8 < n) read();
            }
            compute();
            __syncthreads();
        }
    }
#pragma unroll
    for (int q = 0; q < 4; q++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float4* place = (float4*)&AT(c, row + (q & 1) * 4, column + (q >> 1) * 4 + j);
            float4 to = *place;
            to.x = alpha * sums[q][j][0] + beta * to.x;
            to.y = alpha * sums[q][j][1] + beta * to.y;
            to.z = alpha * sums[q][j][2] + beta * to.z;
            to.w = alpha * sums[q][j][3] + beta * to.w;
            *place = to;
        }
}

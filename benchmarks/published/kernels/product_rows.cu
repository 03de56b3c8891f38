// c = a b of float32, row major: from a thread for each result to warp tiles in registers.

// A thread for each result; lanes walk down the rows, so a and c are read and written a row's length apart.
template <typename Index>
__global__ void down_rows(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    Index row = blockIdx.x * blockDim.x + threadIdx.x, column = blockIdx.y * blockDim.y + threadIdx.y, size = n;
    if (row >= size || column >= size) return;
    float sum = 0;
    for (Index k = 0; k < size; k++) sum += a[row * size + k] * b[k * size + column];
    c[row * size + column] = alpha * sum + beta * c[row * size + column];
}

// The same with lanes along a row.
template <typename Index>
__global__ void along_rows(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    Index row = blockIdx.y * 32 + threadIdx.x / 32, column = blockIdx.x * 32 + threadIdx.x % 32, size = n;
    if (row >= size || column >= size) return;
    float sum = 0;
    for (Index k = 0; k < size; k++) sum += a[row * size + k] * b[k * size + column];
    c[row * size + column] = alpha * sum + beta * c[row * size + column];
}

// A tile of 32 x 32 of both in shared memory, a result a thread.
__global__ void tiled(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[32 * 32], right[32 * 32];
    int x = threadIdx.x % 32, y = threadIdx.x / 32;
    a += blockIdx.y * 32 * n;
    b += blockIdx.x * 32;
    c += blockIdx.y * 32 * n + blockIdx.x * 32;
    float sum = 0;
    for (int first = 0; first < n; first += 32) {
        left[y * 32 + x] = a[y * n + x];
        right[y * 32 + x] = b[y * n + x];
        __syncthreads();
        a += 32;
        b += 32 * n;
        for (int k = 0; k < 32; k++) sum += left[y * 32 + k] * right[k * 32 + x];
        __syncthreads();
    }
    c[y * n + x] = alpha * sum + beta * c[y * n + x];
}

// The same with bounds, long indices, and the tiles filled element by element or by four at a time.
template <bool Wide>
__global__ void tiled_guarded(size_t n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[32][32], right[32][32];
    size_t thread = threadIdx.y * 32 + threadIdx.x;
    size_t row = blockIdx.y * 32 + threadIdx.y, column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0;
    for (size_t tile = 0; tile < (n + 31) / 32; tile++) {
        if constexpr (Wide) {
            if (thread < 256) {
                size_t y = thread / 8, x = thread % 8 * 4;
                size_t r = blockIdx.y * 32 + y, k = tile * 32 + x;
                float4 value = {0, 0, 0, 0};
                if (r < n && k < n) value = *(const float4*)&a[r * n + k];
                *(float4*)&left[y][x] = value;
                size_t s = blockIdx.x * 32 + x, l = tile * 32 + y;
                float4 other = {0, 0, 0, 0};
                if (l < n && s < n) other = *(const float4*)&b[l * n + s];
                *(float4*)&right[y][x] = other;
            }
        } else {
            size_t k = tile * 32 + threadIdx.x, l = tile * 32 + threadIdx.y;
            float value = 0, other = 0;
            if (row < n && k < n) value = a[row * n + k];
            left[threadIdx.y][threadIdx.x] = value;
            if (l < n && column < n) other = b[l * n + column];
            right[threadIdx.y][threadIdx.x] = other;
        }
        __syncthreads();
#pragma unroll
        for (size_t k = 0; k < 32; k++) sum += left[threadIdx.y][k] * right[k][threadIdx.x];
        __syncthreads();
    }
    if (row < n && column < n) c[row * n + column] = alpha * sum + beta * c[row * n + column];
}

// A column of eight results a thread from a 64 x 64 tile.
__global__ void column_of_eight(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[64 * 8], right[8 * 64];
    int x = threadIdx.x % 64, y = threadIdx.x / 64;
    a += blockIdx.y * 64 * n;
    b += blockIdx.x * 64;
    c += blockIdx.y * 64 * n + blockIdx.x * 64;
    int a_column = threadIdx.x % 8, a_row = threadIdx.x / 8, b_column = threadIdx.x % 64, b_row = threadIdx.x / 64;
    float sum[8] = {};
    for (int first = 0; first < n; first += 8) {
        left[a_row * 8 + a_column] = a[a_row * n + a_column];
        right[b_row * 64 + b_column] = b[b_row * n + b_column];
        __syncthreads();
        a += 8;
        b += 8 * n;
        for (int k = 0; k < 8; k++) {
            float value = right[k * 64 + x];
            for (int i = 0; i < 8; i++) sum[i] += left[(y * 8 + i) * 8 + k] * value;
        }
        __syncthreads();
    }
    for (int i = 0; i < 8; i++)
        c[(y * 8 + i) * n + x] = alpha * sum[i] + beta * c[(y * 8 + i) * n + x];
}

// How the tile of b lies: in rows, in rows with a pad of five, or spread so that neighbours' columns meet other banks.
enum Layout { ROWS, PADDED, SPREAD };

// Eight by eight results a thread, 256 threads, from 128 x 128 tiles; scalar loads.
__global__ void eight_by_eight(int n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[128 * 8], right[8 * 128];
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    a += blockIdx.y * 128 * n;
    b += blockIdx.x * 128;
    c += blockIdx.y * 128 * n + blockIdx.x * 128;
    int a_row = threadIdx.x / 8, a_column = threadIdx.x % 8, b_row = threadIdx.x / 128, b_column = threadIdx.x % 128;
    float sum[64] = {}, u[8], v[8];
    for (int first = 0; first < n; first += 8) {
        for (int k = 0; k < 128; k += 32) left[(a_row + k) * 8 + a_column] = a[(a_row + k) * n + a_column];
        for (int k = 0; k < 8; k += 2) right[(b_row + k) * 128 + b_column] = b[(b_row + k) * n + b_column];
        __syncthreads();
        a += 8;
        b += 8 * n;
        for (int k = 0; k < 8; k++) {
            for (int i = 0; i < 8; i++) u[i] = left[(y * 8 + i) * 8 + k];
            for (int i = 0; i < 8; i++) v[i] = right[k * 128 + x * 8 + i];
            for (int i = 0; i < 8; i++)
                for (int j = 0; j < 8; j++) sum[i * 8 + j] += u[i] * v[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            float& to = c[(y * 8 + i) * n + x * 8 + j];
            to = alpha * sum[i * 8 + j] + beta * to;
        }
}

// The same with sixteen bytes a load and the tile of a transposed.
template <int Depth, Layout L>
__global__ void wide(int n, float alpha, float* a, float* b, float beta, float* c) {
    constexpr int Row = L == PADDED ? 133 : 128;
    __shared__ float left[Depth * 128], right[Depth * Row];
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    a += blockIdx.y * 128 * n;
    b += blockIdx.x * 128;
    c += blockIdx.y * 128 * n + blockIdx.x * 128;
    int a_row = threadIdx.x / (Depth / 4), a_column = threadIdx.x % (Depth / 4);
    int b_row = threadIdx.x / 32, b_column = threadIdx.x % 32;
    float sum[64] = {}, u[8], v[8];
    for (int first = 0; first < n; first += Depth) {
        for (int k = 0; k < 128; k += 1024 / Depth) {
            float4 value = *(float4*)&a[(a_row + k) * n + a_column * 4];
            left[(a_column * 4 + 0) * 128 + a_row + k] = value.x;
            left[(a_column * 4 + 1) * 128 + a_row + k] = value.y;
            left[(a_column * 4 + 2) * 128 + a_row + k] = value.z;
            left[(a_column * 4 + 3) * 128 + a_row + k] = value.w;
        }
        for (int k = 0; k < Depth; k += 8) {
            float4 value = *(float4*)&b[(b_row + k) * n + b_column * 4];
            if constexpr (L == ROWS) {
                *(float4*)&right[(b_row + k) * 128 + b_column * 4] = value;
            } else if constexpr (L == PADDED) {
                right[b_row * 133 + b_column * 4 + 0] = value.x;
                right[b_row * 133 + b_column * 4 + 1] = value.y;
                right[b_row * 133 + b_column * 4 + 2] = value.z;
                right[b_row * 133 + b_column * 4 + 3] = value.w;
            } else {
                right[(b_column % 2 * 4 + b_row * 8 + 0) * 16 + b_column / 2] = value.x;
                right[(b_column % 2 * 4 + b_row * 8 + 1) * 16 + b_column / 2] = value.y;
                right[(b_column % 2 * 4 + b_row * 8 + 2) * 16 + b_column / 2] = value.z;
                right[(b_column % 2 * 4 + b_row * 8 + 3) * 16 + b_column / 2] = value.w;
            }
        }
        __syncthreads();
        a += Depth;
        b += Depth * n;
        for (int k = 0; k < Depth; k++) {
            for (int i = 0; i < 8; i++) u[i] = left[k * 128 + y * 8 + i];
            for (int i = 0; i < 8; i++) v[i] = right[L == SPREAD ? (k * 8 + i) * 16 + x : k * Row + x * 8 + i];
            for (int i = 0; i < 8; i++)
                for (int j = 0; j < 8; j++) sum[i * 8 + j] += u[i] * v[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j += 4) {
            float4 to = *(float4*)&c[(y * 8 + i) * n + x * 8 + j];
            to.x = alpha * sum[i * 8 + j] + beta * to.x;
            to.y = alpha * sum[i * 8 + j + 1] + beta * to.y;
            to.z = alpha * sum[i * 8 + j + 2] + beta * to.z;
            to.w = alpha * sum[i * 8 + j + 3] + beta * to.w;
            *(float4*)&c[(y * 8 + i) * n + x * 8 + j] = to;
        }
}

// Warp tiles of 64 x 64 in four steps along the columns, eight by four results a step, 128 threads.
__global__ void __launch_bounds__(128) warp_tiles(int n, float alpha, float* a, float* b, float beta, float* c) {
    __shared__ float left[16 * 128], right[16 * 128];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int warp_row = warp / 2, warp_column = warp % 2, y = lane / 4, x = lane % 4;
    a += blockIdx.y * 128 * n;
    b += blockIdx.x * 128;
    c += (blockIdx.y * 128 + warp_row * 64) * n + blockIdx.x * 128 + warp_column * 64;
    int a_row = threadIdx.x / 4, a_column = threadIdx.x % 4, b_row = threadIdx.x / 32, b_column = threadIdx.x % 32;
    float sum[4 * 32] = {}, u[8], v[16];
    for (int first = 0; first < n; first += 16) {
        for (int k = 0; k + 32 <= 128; k += 32) {
            float4 value = *(const float4*)&a[(a_row + k) * n + a_column * 4];
            left[(a_column * 4 + 0) * 128 + a_row + k] = value.x;
            left[(a_column * 4 + 1) * 128 + a_row + k] = value.y;
            left[(a_column * 4 + 2) * 128 + a_row + k] = value.z;
            left[(a_column * 4 + 3) * 128 + a_row + k] = value.w;
        }
        for (int k = 0; k + 4 <= 16; k += 4)
            *(float4*)&right[(b_row + k) * 128 + b_column * 4] = *(const float4*)&b[(b_row + k) * n + b_column * 4];
        __syncthreads();
        for (int k = 0; k < 16; k++) {
            for (int i = 0; i < 8; i++) u[i] = left[k * 128 + warp_row * 64 + y * 8 + i];
            for (int s = 0; s < 4; s++)
                for (int i = 0; i < 4; i++) v[s * 4 + i] = right[k * 128 + warp_column * 64 + s * 16 + x * 4 + i];
            for (int s = 0; s < 4; s++)
                for (int i = 0; i < 8; i++)
                    for (int j = 0; j < 4; j++) sum[i * 16 + s * 4 + j] += u[i] * v[s * 4 + j];
        }
        a += 16;
        b += 16 * n;
        __syncthreads();
    }
    for (int s = 0; s < 4; s++)
        for (int i = 0; i < 8; i++) {
            float4* place = (float4*)&c[(y * 8 + i) * n + s * 16 + x * 4];
            float4 to = *place;
            to.x = alpha * sum[i * 16 + s * 4] + beta * to.x;
            to.y = alpha * sum[i * 16 + s * 4 + 1] + beta * to.y;
            to.z = alpha * sum[i * 16 + s * 4 + 2] + beta * to.z;
            to.w = alpha * sum[i * 16 + s * 4 + 3] + beta * to.w;
            *place = to;
        }
}

// Tiles with bounds and long indices, filled by all threads of the block.
template <int Rows, int Columns, int Threads, bool Wide, bool Transposed>
__device__ void fill(const float* from, size_t n, size_t first_row, size_t first_column, float* tile, size_t thread) {
    constexpr int Unit = Wide ? 4 : 1, Across = Columns / Unit, Times = (Rows * Across + Threads - 1) / Threads;
#pragma unroll
    for (int time = 0; time < Times; time++) {
        size_t y = (thread + time * Threads) / Across, x = (thread + time * Threads) % Across * Unit;
        size_t row = first_row + y, column = first_column + x;
        if constexpr (Wide) {
            int4 value = {0, 0, 0, 0};
            if (row < n && column < n) value = *(const int4*)&from[row * n + column];
            if (y < Rows && x < Columns) {
                if constexpr (Transposed) {
                    for (int i = 0; i < 4; i++) tile[(x + i) * Rows + y] = ((const float*)&value)[i];
                } else {
                    *(int4*)&tile[y * Columns + x] = value;
                }
            }
        } else {
            float value = 0;
            if (row < n && column < n) value = from[row * n + column];
            if constexpr (Rows * Across % Threads != 0) {
                if (y >= Rows) continue;
            }
            tile[Transposed ? x * Rows + y : y * Columns + x] = value;
        }
    }
}

template <bool Wide>
__global__ void column_of_eight_guarded(size_t n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[64 * 8], right[8 * 64];
    size_t thread = threadIdx.x;
    float sum[8] = {};
    for (size_t tile = 0; tile < (n + 7) / 8; tile++) {
        fill<64, 8, 512, Wide, false>(a, n, blockIdx.y * 64, tile * 8, left, thread);
        fill<8, 64, 512, Wide, false>(b, n, tile * 8, blockIdx.x * 64, right, thread);
        __syncthreads();
#pragma unroll
        for (size_t k = 0; k < 8; k++) {
            float value = right[k * 64 + thread % 64];
#pragma unroll
            for (size_t i = 0; i < 8; i++) sum[i] += left[(thread / 64 * 8 + i) * 8 + k] * value;
        }
        __syncthreads();
    }
#pragma unroll
    for (size_t i = 0; i < 8; i++) {
        size_t row = blockIdx.y * 64 + thread / 64 * 8 + i, column = blockIdx.x * 64 + thread % 64;
        if (row < n && column < n) c[row * n + column] = alpha * sum[i] + beta * c[row * n + column];
    }
}

// Eight by eight results a thread from 128 x 128 tiles of depth 16, 256 threads; in rows of threads or in warp tiles.
template <bool Wide, bool Transposed, bool Warps>
__global__ void blocked_guarded(size_t n, float alpha, const float* a, const float* b, float beta, float* c) {
    __shared__ float left[128 * 16], right[16 * 128];
    size_t thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    // Warp tiles are 32 x 64 of 4 x 8 lanes with eight by eight results as two by two squares of four.
    size_t y = Warps ? warp / 2 * 32 + lane / 8 * 4 : thread / 16 * 8;
    size_t x = Warps ? warp % 2 * 64 + lane % 8 * 4 : thread % 16 * 8;
    constexpr size_t Down = Warps ? 16 : 4, Right = Warps ? 32 : 4;
    float sum[8][8] = {}, u[8], v[8];
    for (size_t tile = 0; tile < (n + 15) / 16; tile++) {
        fill<128, 16, 256, Wide, Transposed>(a, n, blockIdx.y * 128, tile * 16, left, thread);
        fill<16, 128, 256, Wide, false>(b, n, tile * 16, blockIdx.x * 128, right, thread);
        __syncthreads();
#pragma unroll
        for (size_t k = 0; k < 16; k++) {
#pragma unroll
            for (size_t i = 0; i < 8; i += Wide ? 4 : 1) {
                size_t place = y + i / 4 * Down + i % 4;
                if constexpr (Wide && Transposed)
                    *(int4*)&u[i] = *(const int4*)&left[k * 128 + place];
                else if constexpr (Transposed)
                    u[i] = left[k * 128 + place];
                else
                    for (size_t j = i; j < i + (Wide ? 4 : 1); j++) u[j] = left[(y + j) * 16 + k];
            }
#pragma unroll
            for (size_t i = 0; i < 8; i += Wide ? 4 : 1) {
                size_t place = x + i / 4 * Right + i % 4;
                if constexpr (Wide)
                    *(int4*)&v[i] = *(const int4*)&right[k * 128 + place];
                else
                    v[i] = right[k * 128 + place];
            }
#pragma unroll
            for (size_t i = 0; i < 8; i++)
#pragma unroll
                for (size_t j = 0; j < 8; j++) sum[i][j] += u[i] * v[j];
        }
        __syncthreads();
    }
#pragma unroll
    for (size_t i = 0; i < 8; i++)
#pragma unroll
        for (size_t j = 0; j < 8; j += Wide ? 4 : 1) {
            size_t row = blockIdx.y * 128 + y + i / 4 * Down + i % 4;
            size_t column = blockIdx.x * 128 + x + j / 4 * Right + j % 4;
            if (row >= n || column >= n) continue;
            if constexpr (Wide) {
                float4 to = *(float4*)&c[row * n + column];
                to.x = alpha * sum[i][j] + beta * to.x;
                to.y = alpha * sum[i][j + 1] + beta * to.y;
                to.z = alpha * sum[i][j + 2] + beta * to.z;
                to.w = alpha * sum[i][j + 3] + beta * to.w;
                *(float4*)&c[row * n + column] = to;
            } else {
                c[row * n + column] = alpha * sum[i][j] + beta * c[row * n + column];
            }
        }
}

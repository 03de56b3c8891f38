// Found by python -m benchmarks.gpu.variants --task matmul --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 93.77 us (estimated), 5.75 times as fast as the baseline (estimated).
// A matrix product: tiles in shared memory, and a block of the result in each thread's registers.
// features: shared_memory_tiling, register_blocking, vectorized_loads, loop_unrolling, read_only_cache
//@ define BM = 64
//@ define BN = BM
//@ define BK = 8
//@ define TM = 4
//@ define TN = TM
//@ define THREADS = (BM // TM) * (BN // TN)
//@ define LEFT_WIDTH = 4 if k % 4 == 0 else 1
//@ define RIGHT_WIDTH = 4 if n % 4 == 0 else 1
//@ define OUT_WIDTH = 4 if n % 4 == 0 else 1
//@ launch matmul<<<(ceil_div(n, BN), ceil_div(m, BM)), THREADS>>>(a, b, c, m, n, k)

// N neighbours that move in one memory instruction.
template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T lane[N];
};

extern "C" __global__ void __launch_bounds__(THREADS)
matmul(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, const int m, const int n, const int k) {
    __shared__ __align__(16) float left_tile[BK][BM];
    __shared__ __align__(16) float right_tile[BK][BN];
    const int first_row = blockIdx.y * BM;
    const int first_col = blockIdx.x * BN;
    const int thread_row = threadIdx.x / (BN / TN);
    const int thread_col = threadIdx.x % (BN / TN);
    float sums[TM][TN] = {};
    for (int k0 = 0; k0 < k; k0 += BK) {
        for (int i = threadIdx.x; i < BM * BK / LEFT_WIDTH; i += THREADS) {
            const int major = i / (BK / LEFT_WIDTH);
            const int minor = i % (BK / LEFT_WIDTH) * LEFT_WIDTH;
            Pack<float, LEFT_WIDTH> value = {};
            if (first_row + major < m && k0 + minor < k) {
                value = *reinterpret_cast<const Pack<float, LEFT_WIDTH>*>(a + static_cast<size_t>(first_row + major) * k + k0 + minor);
            }
            #pragma unroll
            for (int j = 0; j < LEFT_WIDTH; ++j) {
                left_tile[minor + j][major] = value.lane[j];
            }
        }
        for (int i = threadIdx.x; i < BK * BN / RIGHT_WIDTH; i += THREADS) {
            const int major = i / (BN / RIGHT_WIDTH);
            const int minor = i % (BN / RIGHT_WIDTH) * RIGHT_WIDTH;
            Pack<float, RIGHT_WIDTH> value = {};
            if (k0 + major < k && first_col + minor < n) {
                value = *reinterpret_cast<const Pack<float, RIGHT_WIDTH>*>(b + static_cast<size_t>(k0 + major) * n + first_col + minor);
            }
            #pragma unroll
            for (int j = 0; j < RIGHT_WIDTH; ++j) {
                right_tile[major][minor + j] = value.lane[j];
            }
        }
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < BK; ++i) {
            float left[TM];
            float right[TN];
            #pragma unroll
            for (int r = 0; r < TM; r += 4) {
                const Pack<float, 4> value = *reinterpret_cast<const Pack<float, 4>*>(&left_tile[i][r / 4 * (BM / TM * 4) + thread_row * 4]);
                #pragma unroll
                for (int j = 0; j < 4; ++j) {
                    left[r + j] = value.lane[j];
                }
            }
            #pragma unroll
            for (int r = 0; r < TN; r += 4) {
                const Pack<float, 4> value = *reinterpret_cast<const Pack<float, 4>*>(&right_tile[i][r / 4 * (BN / TN * 4) + thread_col * 4]);
                #pragma unroll
                for (int j = 0; j < 4; ++j) {
                    right[r + j] = value.lane[j];
                }
            }
            #pragma unroll
            for (int r = 0; r < TM; ++r) {
                #pragma unroll
                for (int s = 0; s < TN; ++s) {
                    sums[r][s] += left[r] * right[s];
                }
            }
        }
        __syncthreads();
    }
    #pragma unroll
    for (int r = 0; r < TM; ++r) {
        #pragma unroll
        for (int s = 0; s < TN; s += OUT_WIDTH) {
            const int row = first_row + r / 4 * (BM / TM * 4) + thread_row * 4 + r % 4;
            const int col = first_col + s / 4 * (BN / TN * 4) + thread_col * 4 + s % 4;
            if (row < m && col < n) {
                Pack<float, OUT_WIDTH> value;
                #pragma unroll
                for (int j = 0; j < OUT_WIDTH; ++j) {
                    value.lane[j] = sums[r][s + j];
                }
                float* to = c + static_cast<size_t>(row) * n + col;
                *reinterpret_cast<Pack<float, OUT_WIDTH>*>(to) = value;
            }
        }
    }
}

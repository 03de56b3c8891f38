// c = a b of bfloat16 on tensor cores (mma.sync.m16n8k16), a in rows, b in columns; 128 x 128 tiles of depth 64.
#include <cuda_bf16.h>

typedef __nv_bfloat16 Half;

enum Layout { PLAIN, PADDED, MIXED };

__device__ __forceinline__ unsigned place(const void* pointer) {
    return (unsigned)__cvta_generic_to_shared(pointer);
}

template <int Count>
__device__ __forceinline__ void load_matrices(unsigned* to, unsigned from) {
    if constexpr (Count == 4)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(from));
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                     : "=r"(to[0]), "=r"(to[1]) : "r"(from));
}

__device__ __forceinline__ void multiply(float* d, const unsigned* a, const unsigned* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9},"
                 " {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Bytes from the start of a tile to eight elements of a row.
template <Layout L>
__device__ __forceinline__ unsigned offset(unsigned row, unsigned unit) {
    if constexpr (L == PADDED) return row * 144 + unit * 16;
    if constexpr (L == MIXED) return row * 128 + (unit ^ (row & 7)) * 16;
    return row * 128 + unit * 16;
}

template <Layout L, bool Direct>
__device__ __forceinline__ void fill(const Half* from, int n, char* tile) {
#pragma unroll
    for (int time = 0; time < 8; time++) {
        int row = (time * 128 + threadIdx.x) / 8, unit = (time * 128 + threadIdx.x) % 8;
        const Half* source = from + row * n + unit * 8;
        char* target = tile + offset<L>(row, unit);
        if constexpr (Direct)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(place(target)), "l"(source));
        else
            *(int4*)target = *(const int4*)source;
    }
}

__device__ __forceinline__ void store(float (*sum)[8][4], int n, int row, int column, Half* c) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) {
            Half* to = c + (row + i * 16) * n + column + j * 8;
            *(__nv_bfloat162*)to = __float22bfloat162_rn({sum[i][j][0], sum[i][j][1]});
            *(__nv_bfloat162*)(to + 8 * n) = __float22bfloat162_rn({sum[i][j][2], sum[i][j][3]});
        }
}

// A tile at a time; addresses are worked out at every access.
template <Layout L, bool Direct>
__global__ __launch_bounds__(128) void simple(const Half* a, const Half* b, Half* c, int n) {
    constexpr int Tile = 128 * (L == PADDED ? 144 : 128);
    __shared__ __align__(128) char shared[2 * Tile];
    char *left = shared, *right = shared + Tile;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, across = n / 128;
    int row = blockIdx.x / across * 128, column = blockIdx.x % across * 128;
    int down = warp / 2 * 64, over = warp % 2 * 64;
    float sum[4][8][4] = {};
    a += row * n;
    b += column * n;
    for (int first = 0; first < n; first += 64) {
        fill<L, Direct>(a + first, n, left);
        fill<L, Direct>(b + first, n, right);
        if constexpr (Direct) asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;");
        __syncthreads();
        for (int k = 0; k < 4; k++) {
            unsigned u[4][4], v[8][2];
            for (int i = 0; i < 4; i++)
                load_matrices<4>(u[i], place(left + offset<L>(down + i * 16 + lane % 16, k * 2 + lane / 16)));
            for (int j = 0; j < 8; j++)
                load_matrices<2>(v[j], place(right + offset<L>(over + j * 8 + lane % 8, k * 2 + lane / 8 % 2)));
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 8; j++) multiply(sum[i][j], u[i], v[j]);
        }
        __syncthreads();
    }
    store(sum, n, row + down + lane / 4, column + over + lane % 4 * 2, c);
}

// Addresses worked out before the loop, fragments of a whole tile loaded before the products; `Stages` buffers.
template <int Stages, bool Grouped>
__global__ __launch_bounds__(128) void staged(const Half* a, const Half* b, Half* c, int n) {
    constexpr int Tile = 128 * 128;
    extern __shared__ __align__(128) char shared[];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, across = n / 128;
    int down_block = blockIdx.x / across, over_block = blockIdx.x % across;
    if constexpr (Grouped) {
        int group = blockIdx.x / (8 * across), within = blockIdx.x % (8 * across);
        down_block = group * 8 + within % 8;
        over_block = within / 8;
    }
    int row = down_block * 128, column = over_block * 128, down = warp / 2 * 64, over = warp % 2 * 64;
    float sum[4][8][4] = {};
    a += row * n;
    b += column * n;
    unsigned base = place(shared);
    unsigned u_at = base + offset<MIXED>(down + lane % 16, lane / 16);
    unsigned v_at = base + Tile + offset<MIXED>(over + lane % 8 + lane / 16 * 8, lane / 8 % 2);
    auto begin = [&](int first, int stage) {
        fill<MIXED, true>(a + first, n, shared + stage * 2 * Tile);
        fill<MIXED, true>(b + first, n, shared + stage * 2 * Tile + Tile);
    };
    if constexpr (Stages > 1) {
        begin(0, 0);
        asm volatile("cp.async.commit_group;");
    }
    for (int first = 0, step = 0; first < n; first += 64, step++) {
        if constexpr (Stages > 1) {
            __syncthreads();
            if (first + 64 < n) begin(first + 64, (step + 1) % 2);
            asm volatile("cp.async.commit_group;\ncp.async.wait_group 1;");
        } else {
            begin(first, 0);
            asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;");
        }
        __syncthreads();
        unsigned from = Stages > 1 ? (step % 2) * 2 * Tile : 0;
        unsigned u[4][4][4], v[4][8][2];
#pragma unroll
        for (int k = 0; k < 4; k++) {
#pragma unroll
            for (int i = 0; i < 4; i++) load_matrices<4>(u[k][i], ((u_at + from) ^ (k << 5)) + i * 16 * 128);
#pragma unroll
            for (int j = 0; j < 8; j += 2) load_matrices<4>(v[k][j], ((v_at + from) ^ (k << 5)) + j * 8 * 128);
        }
#pragma unroll
        for (int k = 0; k < 4; k++)
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 8; j++) multiply(sum[i][j], u[k][i], v[k][j]);
        if constexpr (Stages == 1) __syncthreads();
    }
    store(sum, n, row + down + lane / 4, column + over + lane % 4 * 2, c);
}

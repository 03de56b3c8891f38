// What the harness itself launches: canaries and poison, digests, a delay, reads that flush the L2, a clock probe.
// harness.ptx is what NVRTC makes of it for sm_75 (tests/sandbox/cuda/test_harness_kernels.py says how, and checks).

typedef unsigned int u32;
typedef unsigned long long u64;

__device__ __forceinline__ u64 mixed(u64 z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

__device__ __forceinline__ u64 noise(u64 seed, u64 index) { return mixed(seed + index * 0x9E3779B97F4A7C15ull); }

extern "C" __global__ void ww_fill(u32* words, u64 count, u64 seed) {
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) words[i] = (u32)noise(seed, i);
}

extern "C" __global__ void ww_digest(const u32* words, u64 count, u64 seed, u64* sum) {
    u64 step = (u64)gridDim.x * blockDim.x, mine = 0;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) mine += mixed(noise(seed, i) ^ words[i]);
    if (mine) atomicAdd(sum, mine);
}

extern "C" __global__ void ww_read(const u32* words, u64 count, u32* sink) {
    u64 step = (u64)gridDim.x * blockDim.x;
    u32 seen = 0;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) seen |= words[i];
    if (seen == 0xA5A5A5A5u) *sink = seen;
}

extern "C" __global__ void ww_shared(u32 words, u64 seed) {
    extern __shared__ u32 everything[];
    for (u32 i = threadIdx.x; i < words; i += blockDim.x) *(volatile u32*)(everything + i) = (u32)noise(seed + blockIdx.x, i);
}

extern "C" __global__ void ww_spin(u64 nanoseconds) {
    u64 start, now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    do asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now)); while (now - start < nanoseconds);
}

extern "C" __global__ void ww_clock(u64 nanoseconds, u64* cycles_and_nanoseconds) {
    u64 start, now, first = clock64();
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    do asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now)); while (now - start < nanoseconds);
    cycles_and_nanoseconds[0] = clock64() - first;
    cycles_and_nanoseconds[1] = now - start;
}

extern "C" __global__ void ww_nothing() {}

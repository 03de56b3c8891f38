// Relaxed operations between fences of the C++ kind.
//@ cooperative grid 4, block 32, n 128, io 136, expect shifted
#include <cuda/atomic>
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, b = blockIdx.x, i = b * 32 + t;
    int* s = io + 8;
    s[i] = x[i];
    __syncthreads();
    if (t == 0) {
        cuda::atomic_thread_fence(cuda::memory_order_release, cuda::thread_scope_device);
        cuda::atomic_ref<int, cuda::thread_scope_device>(io[b]).store(1, cuda::memory_order_relaxed);
        cuda::atomic_ref<int, cuda::thread_scope_device> other(io[(b + 1) % 4]);
        while (other.load(cuda::memory_order_relaxed) == 0) {}
        cuda::atomic_thread_fence(cuda::memory_order_acquire, cuda::thread_scope_device);
    }
    __syncthreads();
    y[i] = s[(i + 32) % n];
}

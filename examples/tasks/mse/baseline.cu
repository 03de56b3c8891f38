//@ define THREADS = 256
//@ zero loss
//@ launch mse<<<ceil_div(n, THREADS), THREADS>>>(predicted, target, loss, n)

// Every thread adds its share to the one result.
extern "C" __global__ void mse(const float* predicted, const float* target, float* loss, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float difference = predicted[i] - target[i];
        atomicAdd(loss, difference * difference / n);
    }
}

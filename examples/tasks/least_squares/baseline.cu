//@ scratch gram: float32[d * d]
//@ scratch moments: float32[d]
//@ launch sums<<<1, (d + 1, d)>>>(x, y, gram, moments, n, d)
//@ launch solve<<<1, 1>>>(gram, moments, beta, d)

// One thread computes one element of x^T x, or of x^T y.
extern "C" __global__ void sums(const float* x, const float* y, float* gram, float* moments, int n, int d) {
    int col = threadIdx.x, row = threadIdx.y;
    float sum = 0.0f;
    if (col < d) {
        for (int i = 0; i < n; ++i) {
            sum += x[(size_t)i * d + row] * x[(size_t)i * d + col];
        }
        gram[row * d + col] = sum;
    } else {
        for (int i = 0; i < n; ++i) {
            sum += x[(size_t)i * d + row] * y[i];
        }
        moments[row] = sum;
    }
}

// One thread solves the equations by Cholesky's factorisation.
extern "C" __global__ void solve(const float* gram, const float* moments, float* beta, int d) {
    float factor[10][10], z[10];
    for (int i = 0; i < d; ++i) {
        for (int j = 0; j <= i; ++j) {
            float sum = gram[i * d + j];
            for (int k = 0; k < j; ++k) {
                sum -= factor[i][k] * factor[j][k];
            }
            factor[i][j] = i == j ? sqrtf(sum) : sum / factor[j][j];
        }
    }
    for (int i = 0; i < d; ++i) {
        float sum = moments[i];
        for (int k = 0; k < i; ++k) {
            sum -= factor[i][k] * z[k];
        }
        z[i] = sum / factor[i][i];
    }
    for (int i = d - 1; i >= 0; --i) {
        float sum = z[i];
        for (int k = i + 1; k < d; ++k) {
            sum -= factor[k][i] * beta[k];
        }
        beta[i] = sum / factor[i][i];
    }
}

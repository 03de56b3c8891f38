//@ launch sort<<<1, 1>>>(x, n)

// One thread puts one element after the other into its place among those before: an insertion sort.
extern "C" __global__ void sort(float* x, int n) {
    for (int i = 1; i < n; ++i) {
        float value = x[i];
        float* place = x + i;
        while (place > x && place[-1] > value) {
            place[0] = place[-1];
            --place;
        }
        place[0] = value;
    }
}

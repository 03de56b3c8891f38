//@ launch sort<<<1, 1>>>(x, n)

// One thread puts one element after the other into its place among those before: an insertion sort.
extern "C" __global__ void sort(float* x, int n) {
    for (int i = 1; i < n; ++i) {
        float value = x[i];
        int place = i;
        while (place > 0 && x[place - 1] > value) {
            x[place] = x[place - 1];
            --place;
        }
        x[place] = value;
    }
}

// A CUDA driver without a GPU, as a shared library: memory of the host, kernels in C, a clock that costs advance.
//
// cuda.h declares every function here, so the compiler checks them against the real driver's interface. Functions
// that cuda.h declares and this file does not define become stubs that are not supported (see build.py).
// Launches act at once; what went wrong in them shows at the next call that waits, and then at every call, as on a GPU.
// A function is found where the image names it, and runs as the entry of `kernels` with its unmangled name.

#include <cuda.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE_BYTES (2ull << 30)
#define RESERVED_BYTES (1ull << 40)
#define SHARED_BYTES (48 << 10)
#define SHARED_OPTIN (227 << 10)
#define PROCESSORS 4
#define THREADS_A_PROCESSOR 2048
#define CLOCK_KHZ 1500000
#define PARAMETERS 4
#define LARGEST_CLUSTER 8

// ---- what a driver keeps

typedef struct {
    const char *name;
    CUresult (*work)(char parameters[PARAMETERS][8]);
    const char *sizes;  // of the parameters, a digit each
    double nanoseconds_a_thread;
} Kernel;

typedef enum { CONTEXT = 1, STREAM, EVENT, MODULE, FUNCTION, GRAPH, READY_GRAPH, MEMORY } Kind;

typedef struct {
    const Kernel *kernel;
    unsigned grid[3], block[3];
    char parameters[PARAMETERS][8];
} Launch;

typedef struct Object {
    struct Object *next;
    Kind kind;
    struct Object *owner;        // of a function: its module
    CUresult pending, lost;      // of a context: an error that nobody was told yet, and the one that cost it
    bool endless;                // of a context: a kernel never ends
    uint64_t placed, reached;    // of a context: how much was put on it, and is known to be done; of an event: its place
    double nanoseconds;          // of a context: its clock; of an event: when it happened
    bool capturing;              // of a stream
    Launch *launches;            // of a stream that captures, or of a graph
    size_t count;
    const char *image;           // of a module
    size_t size;                 // of a module's image, or of memory
    const Kernel *kernel;        // of a function
    int dynamic_shared;          // of a function: most that it may be launched with
    char *bytes;                 // of memory
    char variables[64];          // of a module
} Object;

static Object *objects;
static _Thread_local Object *stack[8];
static _Thread_local int depth;
static bool initialised;

static Object *made(Kind kind) {
    Object *object = calloc(1, sizeof *object);
    *object = (Object){.next = objects, .kind = kind};
    return objects = object;
}

static Object *known(Kind kind, const void *handle) {
    for (Object *each = objects; each; each = each->next)
        if (each == handle && each->kind == kind) return each;
    return NULL;
}

static void forget(Object *object) {
    for (Object **place = &objects; *place; place = &(*place)->next)
        if (*place == object) {
            *place = object->next;
            free(object->launches);
            free(object);
            return;
        }
}

static char *memory(CUdeviceptr address, size_t size) {
    for (Object *each = objects; each; each = each->next)
        if (each->kind == MEMORY) {
            size_t offset = address - (CUdeviceptr)each->bytes;
            if (offset <= each->size && size <= each->size - offset) return (char *)address;
        }
    return NULL;
}

static Object *context(void) { return depth ? stack[depth - 1] : NULL; }

#define ENTER                                          \
    Object *current = context();                       \
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED; \
    if (!current) return CUDA_ERROR_INVALID_CONTEXT;   \
    if (current->lost) return current->lost;
#define KNOWN(name, kind, handle)      \
    Object *name = known(kind, handle); \
    if (!name) return CUDA_ERROR_INVALID_HANDLE;

static bool any_capture(void) {
    for (Object *each = objects; each; each = each->next)
        if (each->kind == STREAM && each->capturing) return true;
    return false;
}

// Wait until all is done that was put on the context.
static CUresult settled(Object *current) {
    if (any_capture()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    while (current->endless) pause();
    current->lost = current->pending;
    current->reached = current->placed;
    return current->lost;
}

// ---- kernels: the harness's (the arithmetic of sandbox/cuda/noise.py), those that measure rates, and candidates

static uint64_t whole(const char *parameter) { uint64_t value; memcpy(&value, parameter, 8); return value; }
static int integer(const char *parameter) { int value; memcpy(&value, parameter, 4); return value; }
#define AT(type, index) ((type *)whole(p[index]))

static uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static uint64_t noise(uint64_t seed, uint64_t index) { return mixed(seed + index * 0x9E3779B97F4A7C15ull); }

static CUresult ww_fill(char p[][8]) {
    if (!memory(whole(p[0]), 4 * whole(p[1]))) return CUDA_ERROR_ILLEGAL_ADDRESS;
    for (uint64_t i = 0; i < whole(p[1]); i++) AT(uint32_t, 0)[i] = (uint32_t)noise(whole(p[2]), i);
    return CUDA_SUCCESS;
}

static CUresult ww_digest(char p[][8]) {
    if (!memory(whole(p[0]), 4 * whole(p[1])) || !memory(whole(p[3]), 8)) return CUDA_ERROR_ILLEGAL_ADDRESS;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < whole(p[1]); i++) sum += mixed(noise(whole(p[2]), i) ^ AT(uint32_t, 0)[i]);
    *AT(uint64_t, 3) += sum;
    return CUDA_SUCCESS;
}

static CUresult ww_read(char p[][8]) {
    return memory(whole(p[0]), 4 * whole(p[1])) ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
}

static CUresult ww_spin(char p[][8]) {
    context()->nanoseconds += whole(p[0]);
    return CUDA_SUCCESS;
}

static CUresult ww_clock(char p[][8]) {
    if (!memory(whole(p[1]), 16)) return CUDA_ERROR_ILLEGAL_ADDRESS;
    AT(uint64_t, 1)[0] = whole(p[0]) * CLOCK_KHZ / 1000000;
    AT(uint64_t, 1)[1] = whole(p[0]);
    return ww_spin(p);
}

static CUresult nothing(char p[][8]) { return (void)p, CUDA_SUCCESS; }

static CUresult add(char p[][8]) {
    size_t size = 4 * (size_t)integer(p[3]);
    for (int i = 0; i < 3; i++)
        if (!memory(whole(p[i]), size)) return CUDA_ERROR_ILLEGAL_ADDRESS;
    for (int i = 0; i < integer(p[3]); i++) AT(float, 2)[i] = AT(float, 0)[i] + AT(float, 1)[i];
    return CUDA_SUCCESS;
}

static CUresult add_wrong(char p[][8]) {
    CUresult status = add(p);
    AT(float, 2)[integer(p[3]) - 1] += 1.0f;
    return status;
}

static CUresult add_past_the_end(char p[][8]) {
    CUresult status = add(p);
    AT(float, 2)[integer(p[3])] = 0.0f;
    return status;
}

static CUresult add_beyond_memory(char p[][8]) { return (void)p, CUDA_ERROR_ILLEGAL_ADDRESS; }

static CUresult add_without_end(char p[][8]) {
    context()->endless = true;
    return (void)p, CUDA_SUCCESS;
}

static const Kernel kernels[] = {
    {"ww_fill", ww_fill, "888", 0.01},
    {"ww_digest", ww_digest, "8888", 0.01},
    {"ww_read", ww_read, "888", 0.01},
    {"ww_shared", nothing, "48", 0.01},
    {"ww_spin", ww_spin, "8", 0},
    {"ww_clock", ww_clock, "88", 0},
    {"ww_nothing", nothing, "", 0},
    {"ceiling_copy", nothing, "884", 0.15},
    {"ceiling_fma", nothing, "884", 0.15},
    {"vector_add", add, "8884", 0.004},
    {"add_wrong", add_wrong, "8884", 0.004},
    {"add_past_the_end", add_past_the_end, "8884", 0.004},
    {"add_beyond_memory", add_beyond_memory, "8884", 0.004},
    {"add_without_end", add_without_end, "8884", 0.004},
};
#define LAUNCH_NANOSECONDS 2000

static void execute(Object *current, const Launch *launch) {
    double threads = 1;
    for (int i = 0; i < 3; i++) threads *= (double)launch->grid[i] * launch->block[i];
    current->placed++;
    if (current->endless || current->pending) return;
    current->nanoseconds += LAUNCH_NANOSECONDS + threads * launch->kernel->nanoseconds_a_thread;
    Launch copy = *launch;
    current->pending = launch->kernel->work(copy.parameters);
}

// ---- errors

static const struct { CUresult code; const char *name, *text; } errors[] = {
#define ERROR(code, text) {code, #code, text}
    ERROR(CUDA_SUCCESS, "no error"),
    ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    ERROR(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
    ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit is not supported on this architecture"),
    ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    ERROR(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "too many blocks in cooperative launch"),
    ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    ERROR(CUDA_ERROR_INVALID_CLUSTER_SIZE, "invalid cluster size"),
    ERROR(CUDA_ERROR_UNKNOWN, "unknown error"),
};

static CUresult said(CUresult code, const char **text, bool name) {
    *text = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) *text = name ? errors[i].name : errors[i].text;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuGetErrorString(CUresult code, const char **text) { return said(code, text, false); }
CUresult CUDAAPI cuGetErrorName(CUresult code, const char **text) { return said(code, text, true); }

// ---- the device

static void *idle(void *argument) {
    for (;;) pause();
    return argument;
}

// What the real library does to the system, as far as it is known: without it there is no device.
CUresult CUDAAPI cuInit(unsigned flags) {
    static const char *const nodes[] = {NODES NULL};
    static const char *const files[] = {"/proc/self/maps", "/proc/self/status", "/proc/devices", "/proc/meminfo",
                                        "/proc/cpuinfo",   "/sys/devices/system/cpu/online", NULL};
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (initialised) return CUDA_SUCCESS;
    for (int i = 0; nodes[i]; i++) {
        int node = open(nodes[i], O_RDWR | O_CLOEXEC), size;
        if (node < 0) return CUDA_ERROR_NO_DEVICE;
        if (ioctl(node, FIONREAD, &size) && errno != ENOTTY && errno != EINVAL) return CUDA_ERROR_NO_DEVICE;
        close(node);
    }
    for (int i = 0; files[i]; i++) {
        FILE *file = fopen(files[i], "r");
        if (!file || fgetc(file) == EOF) return CUDA_ERROR_OPERATING_SYSTEM;
        fclose(file);
    }
    pthread_t thread;
    if (mmap(NULL, RESERVED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED ||
        pthread_create(&thread, NULL, idle, NULL))
        return CUDA_ERROR_OPERATING_SYSTEM;
    initialised = true;
    return CUDA_SUCCESS;
}

// By the plain name of a function the newest of its versions that is here; cuda.bindings finds all of them so.
CUresult CUDAAPI cuGetProcAddress(const char *symbol, void **found, int version, cuuint64_t flags,
                                  CUdriverProcAddressQueryResult *result) {
    static const char *const suffixes[] = {"_v4", "_v3", "_v2", ""};
    static void *self;
    Dl_info where;
    (void)version, (void)flags;
    if (!self && dladdr((void *)&cuGetErrorName, &where)) self = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    *found = NULL;
    for (int i = 0; self && !*found && i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", symbol, suffixes[i]);
        *found = dlsym(self, name);
    }
    if (result) *result = *found ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult CUDAAPI cuDriverGetVersion(int *version) { return *version = CUDA_VERSION, CUDA_SUCCESS; }
CUresult CUDAAPI cuDeviceGetCount(int *count) {
    return *count = 1, initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}
CUresult CUDAAPI cuDeviceGet(CUdevice *device, int ordinal) {
    return *device = 0, ordinal ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
CUresult CUDAAPI cuDeviceGetByPCIBusId(CUdevice *device, const char *id) {
    return *device = 0, strcmp(id, BUS_ID) ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
static CUresult spelled(const char *text, char *to, int size, CUdevice device) {
    snprintf(to, size, "%s", text);
    return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
CUresult CUDAAPI cuDeviceGetName(char *name, int size, CUdevice device) { return spelled(NAME, name, size, device); }
CUresult CUDAAPI cuDeviceGetPCIBusId(char *id, int size, CUdevice device) { return spelled(BUS_ID, id, size, device); }
CUresult CUDAAPI cuDeviceTotalMem(size_t *bytes, CUdevice device) {
    return *bytes = DEVICE_BYTES, device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
CUresult CUDAAPI cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    return *major = 9, *minor = 0, device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    if (device || attribute <= 0 || attribute >= CU_DEVICE_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = PROCESSORS; break;
        case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *value = 1 << 20; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = SHARED_OPTIN; break;
        case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = CLOCK_KHZ; break;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *value = THREADS_A_PROCESSOR; break;
        default: *value = 0;
    }
    return CUDA_SUCCESS;
}

// ---- contexts

CUresult CUDAAPI cuCtxCreate(CUcontext *made_context, CUctxCreateParams *parameters, unsigned flags, CUdevice device) {
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (device || parameters || flags) return CUDA_ERROR_INVALID_VALUE;
    stack[depth++] = made(CONTEXT);
    *made_context = (CUcontext)stack[depth - 1];
    return CUDA_SUCCESS;
}
// One for the process, as the runtime and every framework share it.
CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext *retained, CUdevice device) {
    static Object *primary;
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (device) return CUDA_ERROR_INVALID_DEVICE;
    if (!primary) primary = made(CONTEXT);
    *retained = (CUcontext)primary;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice device) { return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS; }
CUresult CUDAAPI cuCtxSetCurrent(CUcontext wanted) {
    if (!known(CONTEXT, wanted)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!depth) depth = 1;
    stack[depth - 1] = (Object *)wanted;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuCtxGetCurrent(CUcontext *found) { return *found = (CUcontext)context(), CUDA_SUCCESS; }
CUresult CUDAAPI cuCtxPushCurrent(CUcontext pushed) {
    if (!known(CONTEXT, pushed)) return CUDA_ERROR_INVALID_CONTEXT;
    stack[depth++] = (Object *)pushed;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuCtxPopCurrent(CUcontext *popped) {
    if (!depth) return CUDA_ERROR_INVALID_CONTEXT;
    *popped = (CUcontext)stack[--depth];
    return ((Object *)*popped)->lost;
}
CUresult CUDAAPI cuCtxDetach(CUcontext ended) {
    if (!known(CONTEXT, ended) || context() != (Object *)ended) return CUDA_ERROR_INVALID_CONTEXT;
    CUresult lost = context()->lost;
    forget(stack[--depth]);
    return lost;
}
CUresult CUDAAPI cuCtxGetDevice(CUdevice *device) { ENTER return *device = 0, CUDA_SUCCESS; }
CUresult CUDAAPI cuCtxSynchronize(void) { ENTER return settled(current); }
CUresult CUDAAPI cuCtxResetPersistingL2Cache(void) { ENTER return CUDA_SUCCESS; }
CUresult CUDAAPI cuCtxSetLimit(CUlimit limit, size_t value) {
    ENTER
    bool sized = limit == CU_LIMIT_PRINTF_FIFO_SIZE || (limit == CU_LIMIT_PERSISTING_L2_CACHE_SIZE && !value);
    return sized ? CUDA_SUCCESS : CUDA_ERROR_UNSUPPORTED_LIMIT;
}

// ---- memory

CUresult CUDAAPI cuMemAlloc(CUdeviceptr *address, size_t size) {
    ENTER
    size_t used = 0;
    for (Object *each = objects; each; each = each->next) used += each->kind == MEMORY ? each->size : 0;
    if (!size) return CUDA_ERROR_INVALID_VALUE;
    if (size > DEVICE_BYTES - used) return CUDA_ERROR_OUT_OF_MEMORY;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    Object *object = made(MEMORY);
    object->bytes = bytes;
    object->size = size;
    *address = (CUdeviceptr)bytes;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuMemFree(CUdeviceptr address) {
    ENTER
    for (Object *each = objects; each; each = each->next)
        if (each->kind == MEMORY && each->bytes == (char *)address) {
            munmap(each->bytes, each->size);
            forget(each);
            return settled(current);
        }
    return CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuMemcpyHtoD(CUdeviceptr target, const void *source, size_t size) {
    ENTER
    if (!memory(target, size)) return CUDA_ERROR_INVALID_VALUE;
    CUresult status = settled(current);
    if (!status) memcpy((char *)target, source, size);
    return status;
}
CUresult CUDAAPI cuMemcpyDtoH(void *target, CUdeviceptr source, size_t size) {
    ENTER
    if (!memory(source, size)) return CUDA_ERROR_INVALID_VALUE;
    CUresult status = settled(current);
    if (!status) memcpy(target, (char *)source, size);
    return status;
}
CUresult CUDAAPI cuMemcpyDtoDAsync(CUdeviceptr target, CUdeviceptr source, size_t size, CUstream stream) {
    ENTER
    KNOWN(on, STREAM, stream)
    if (on->capturing || !memory(target, size) || !memory(source, size)) return CUDA_ERROR_INVALID_VALUE;
    memcpy((char *)target, (char *)source, size);
    current->placed++;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuMemsetD32Async(CUdeviceptr target, unsigned word, size_t count, CUstream stream) {
    ENTER
    KNOWN(on, STREAM, stream)
    if (on->capturing || target % 4 || !memory(target, 4 * count)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++) ((unsigned *)target)[i] = word;
    current->placed++;
    return CUDA_SUCCESS;
}

// ---- streams and events

CUresult CUDAAPI cuStreamCreate(CUstream *stream, unsigned flags) {
    ENTER
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    *stream = (CUstream)made(STREAM);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuStreamDestroy(CUstream stream) {
    ENTER
    KNOWN(gone, STREAM, stream)
    forget(gone);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuStreamSynchronize(CUstream stream) {
    ENTER
    KNOWN(on, STREAM, stream)
    return on->capturing ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : settled(current);
}
CUresult CUDAAPI cuEventCreate(CUevent *event, unsigned flags) {
    ENTER
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    *event = (CUevent)made(EVENT);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuEventDestroy(CUevent event) {
    ENTER
    KNOWN(gone, EVENT, event)
    forget(gone);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream) {
    ENTER
    KNOWN(on, STREAM, stream)
    KNOWN(recorded, EVENT, event)
    if (on->capturing) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    recorded->placed = ++current->placed;
    recorded->nanoseconds = current->nanoseconds;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuEventElapsedTime(float *milliseconds, CUevent first, CUevent last) {
    ENTER
    KNOWN(from, EVENT, first)
    KNOWN(to, EVENT, last)
    if (!from->placed || !to->placed) return CUDA_ERROR_INVALID_HANDLE;
    if (from->placed > current->reached || to->placed > current->reached) return CUDA_ERROR_NOT_READY;
    *milliseconds = (float)(1e-6 * (to->nanoseconds - from->nanoseconds));
    return CUDA_SUCCESS;
}

// ---- modules and functions

// The size of a cubin, or of PTX text; 0 for anything else.
static size_t image_size(const char *image) {
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
    if (!strncmp(image, ELFMAG, SELFMAG))
        return header->e_machine == EM_CUDA ? header->e_shoff + (size_t)header->e_shnum * header->e_shentsize : 0;
    return strstr(image, ".version") ? strlen(image) : 0;
}

static bool unmangled(const char *symbol, const char *name) {
    char *rest = (char *)symbol;
    size_t length = strncmp(symbol, "_Z", 2) ? strlen(symbol) : strtoul(symbol + 2, &rest, 10);
    return length == strlen(name) && !strncmp(rest, name, length);
}

CUresult CUDAAPI cuModuleLoadData(CUmodule *module, const void *image) {
    ENTER
    size_t size = image_size(image);
    if (!size) return CUDA_ERROR_INVALID_IMAGE;
    Object *object = made(MODULE);
    object->image = memcpy(malloc(size), image, size);
    object->size = size;
    *module = (CUmodule)object;
    return CUDA_SUCCESS;
}
// PyCUDA asks for messages of the compiler, of which there are none.
CUresult CUDAAPI cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, CUjit_option *options,
                                    void **values) {
    (void)count, (void)options, (void)values;
    return cuModuleLoadData(module, image);
}
CUresult CUDAAPI cuModuleUnload(CUmodule module) {
    ENTER
    KNOWN(gone, MODULE, module)
    for (Object *each = objects, *next; each; each = next) {
        next = each->next;
        if (each->owner == gone) forget(each);
    }
    free((char *)gone->image);
    forget(gone);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuModuleGetFunction(CUfunction *function, CUmodule module, const char *symbol) {
    ENTER
    KNOWN(in, MODULE, module)
    if (!memmem(in->image, in->size, symbol, strlen(symbol))) return CUDA_ERROR_NOT_FOUND;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (!unmangled(symbol, kernels[i].name)) continue;
        Object *found = objects;
        while (found && (found->owner != in || found->kernel != &kernels[i])) found = found->next;
        if (!found) {
            found = made(FUNCTION);
            found->owner = in;
            found->kernel = &kernels[i];
            found->dynamic_shared = SHARED_BYTES;
        }
        *function = (CUfunction)found;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}
// Of any name in the image, the same 64 bytes.
CUresult CUDAAPI cuModuleGetGlobal(CUdeviceptr *address, size_t *size, CUmodule module, const char *symbol) {
    ENTER
    KNOWN(in, MODULE, module)
    if (!memmem(in->image, in->size, symbol, strlen(symbol))) return CUDA_ERROR_NOT_FOUND;
    Object *found = objects;
    while (found && (found->owner != in || found->kind != MEMORY)) found = found->next;
    if (!found) {
        found = made(MEMORY);
        found->owner = in;
        found->bytes = in->variables;
        found->size = sizeof in->variables;
    }
    *address = (CUdeviceptr)found->bytes;
    *size = found->size;
    return CUDA_SUCCESS;
}
// Libraries are modules of no context; their kernels are those modules' functions.
CUresult CUDAAPI cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *options, void **values,
                                   unsigned count, CUlibraryOption *of_library, void **library_values,
                                   unsigned library_count) {
    (void)options, (void)values, (void)of_library, (void)library_values;
    return count || library_count ? CUDA_ERROR_INVALID_VALUE : cuModuleLoadData((CUmodule *)library, code);
}
CUresult CUDAAPI cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *symbol) {
    return cuModuleGetFunction((CUfunction *)kernel, (CUmodule)library, symbol);
}
CUresult CUDAAPI cuLibraryGetGlobal(CUdeviceptr *address, size_t *size, CUlibrary library, const char *symbol) {
    return cuModuleGetGlobal(address, size, (CUmodule)library, symbol);
}
CUresult CUDAAPI cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    ENTER
    KNOWN(of, FUNCTION, function)
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > SHARED_OPTIN)
        return CUDA_ERROR_INVALID_VALUE;
    of->dynamic_shared = value;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice device) {
    return device ? CUDA_ERROR_INVALID_DEVICE : cuFuncSetAttribute((CUfunction)kernel, attribute, value);
}

// ---- launches and graphs

static CUresult refused(const CUlaunchConfig *config, const Object *function) {
    uint64_t blocks = (uint64_t)config->gridDimX * config->gridDimY * config->gridDimZ;
    uint64_t threads = (uint64_t)config->blockDimX * config->blockDimY * config->blockDimZ;
    if (!blocks || config->gridDimX > INT32_MAX || config->gridDimY > 65535 || config->gridDimZ > 65535 ||
        !threads || threads > 1024 || config->blockDimZ > 64 ||
        (int64_t)config->sharedMemBytes > function->dynamic_shared)
        return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < config->numAttrs; i++) {
        const CUlaunchAttribute *asked = &config->attrs[i];
        if (asked->id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) {
            if (asked->value.cooperative && blocks > PROCESSORS * (THREADS_A_PROCESSOR / threads))
                return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
        } else if (asked->id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
            unsigned x = asked->value.clusterDim.x, y = asked->value.clusterDim.y, z = asked->value.clusterDim.z;
            if (!x || !y || !z || x * y * z > LARGEST_CLUSTER || config->gridDimX % x || config->gridDimY % y ||
                config->gridDimZ % z)
                return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        } else
            return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
    ENTER
    KNOWN(launched, FUNCTION, function)
    static Object of_default = {.kind = STREAM};
    Object *on = config->hStream ? known(STREAM, config->hStream) : &of_default;
    if (!on) return CUDA_ERROR_INVALID_HANDLE;
    CUresult status = extra ? CUDA_ERROR_INVALID_VALUE : refused(config, launched);
    if (status) return status;
    Launch launch = {launched->kernel,
                     {config->gridDimX, config->gridDimY, config->gridDimZ},
                     {config->blockDimX, config->blockDimY, config->blockDimZ}, {{0}}};
    const char *sizes = launched->kernel->sizes;
    for (int i = 0; sizes[i]; i++) memcpy(launch.parameters[i], parameters[i], sizes[i] - '0');
    if (on->capturing) {
        on->launches = realloc(on->launches, (on->count + 1) * sizeof launch);
        on->launches[on->count++] = launch;
    } else
        execute(current, &launch);
    return CUDA_SUCCESS;
}
// PyCUDA says the block's shape beforehand too.
CUresult CUDAAPI cuFuncSetBlockShape(CUfunction function, int x, int y, int z) {
    ENTER
    KNOWN(of, FUNCTION, function)
    return x > 0 && y > 0 && z > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Arguments may come in one buffer, each at a multiple of its size.
CUresult CUDAAPI cuLaunchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads_x,
                                unsigned threads_y, unsigned threads_z, unsigned shared, CUstream stream,
                                void **parameters, void **extra) {
    ENTER
    KNOWN(launched, FUNCTION, function)
    void *places[PARAMETERS];
    size_t offset = 0;
    if (extra) {
        if (parameters || extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER) return CUDA_ERROR_INVALID_VALUE;
        for (int i = 0; launched->kernel->sizes[i]; i++) {
            size_t size = launched->kernel->sizes[i] - '0';
            offset = (offset + size - 1) / size * size;
            places[i] = (char *)extra[1] + offset;
            offset += size;
        }
    }
    CUlaunchConfig config = {.gridDimX = x, .gridDimY = y, .gridDimZ = z, .blockDimX = threads_x,
                             .blockDimY = threads_y, .blockDimZ = threads_z, .sharedMemBytes = shared,
                             .hStream = stream};
    return cuLaunchKernelEx(&config, function, extra ? places : parameters, NULL);
}

CUresult CUDAAPI cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode mode) {
    ENTER
    KNOWN(on, STREAM, stream)
    if (on->capturing || mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
    on->capturing = true;
    return CUDA_SUCCESS;
}
static Object *graph_of(Kind kind, const Launch *launches, size_t count) {
    Object *graph = made(kind);
    graph->count = count;
    graph->launches = malloc((count + 1) * sizeof *launches);
    memcpy(graph->launches, launches, count * sizeof *launches);
    return graph;
}
CUresult CUDAAPI cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    ENTER
    KNOWN(on, STREAM, stream)
    if (!on->capturing) return CUDA_ERROR_INVALID_VALUE;
    *graph = (CUgraph)graph_of(GRAPH, on->launches, on->count);
    on->capturing = false;
    on->count = 0;
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuGraphInstantiateWithFlags(CUgraphExec *ready, CUgraph graph, unsigned long long flags) {
    ENTER
    KNOWN(of, GRAPH, graph)
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    *ready = (CUgraphExec)graph_of(READY_GRAPH, of->launches, of->count);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuGraphLaunch(CUgraphExec ready, CUstream stream) {
    ENTER
    KNOWN(of, READY_GRAPH, ready)
    KNOWN(on, STREAM, stream)
    for (size_t i = 0; i < of->count; i++) execute(current, &of->launches[i]);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuGraphDestroy(CUgraph graph) {
    ENTER
    KNOWN(gone, GRAPH, graph)
    forget(gone);
    return CUDA_SUCCESS;
}
CUresult CUDAAPI cuGraphExecDestroy(CUgraphExec ready) {
    ENTER
    KNOWN(gone, READY_GRAPH, ready)
    forget(gone);
    return CUDA_SUCCESS;
}

// Loads code and launches kernels by the CUDA driver's own calls: CUDA 12.0 and later, no other library.
#pragma once

#include <cuda.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "integer.h"

namespace exported {

inline void check(CUresult status, const char* what) {
    if (status == CUDA_SUCCESS) return;
    const char* text = nullptr;
    cuGetErrorString(status, &text);
    throw std::runtime_error(std::string(what) + ": " + (text ? text : "unknown error of the driver"));
}

// Code of one kernel file for one architecture; PTX ends in a zero. `symbols` are of its launches, in order.
struct Image {
    int kernel, variant;
    int major, minor;
    bool exact;  // runs on that compute capability alone
    bool ptx;
    const std::uint64_t* code;
    const char* const* symbols;
};

// A number as a kernel takes it; throws where the type does not hold it. Of `either` the sign is not known.
template <class T>
T whole(integer value) {
    using limits = std::numeric_limits<T>;
    if (!limits::is_signed && value.value < 0) throw std::out_of_range("a negative value for an unsigned parameter");
    if (sizeof(T) < 8 && (value.value < static_cast<std::int64_t>(limits::min()) || value.value > static_cast<std::int64_t>(limits::max())))
        throw std::out_of_range(std::to_string(value.value) + " does not fit the parameter it is passed for");
    return static_cast<T>(value.value);
}

template <class T>
T either(integer value) {
    if (sizeof(T) == 4 && value.value > std::numeric_limits<T>::max() && value.value < (1LL << 32)) return static_cast<T>(static_cast<std::uint32_t>(value.value));
    if (sizeof(T) == 2 && value.value > std::numeric_limits<T>::max() && value.value < (1LL << 16)) return static_cast<T>(static_cast<std::uint16_t>(value.value));
    if (sizeof(T) == 1 && value.value > std::numeric_limits<T>::max() && value.value < (1LL << 8)) return static_cast<T>(static_cast<std::uint8_t>(value.value));
    return whole<T>(value);
}

// The bits of a number of two bytes, to nearest, ties to even.
inline std::uint16_t bfloat16_bits(double value) {
    const float narrow = static_cast<float>(value);
    std::uint32_t bits;
    std::memcpy(&bits, &narrow, 4);
    if (narrow != narrow) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline std::uint16_t float16_bits(double value) {
    const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double size = std::fabs(value);
    if (size != size) return sign | 0x7E00;
    if (size >= 65520.0) return sign | 0x7C00;
    const int exponent = size < std::ldexp(1.0, -14) ? -14 : std::ilogb(size);
    const double steps = std::nearbyint(std::ldexp(size, 10 - exponent));  // of the last place, ties to even
    return static_cast<std::uint16_t>(sign + ((exponent + 14) << 10) + static_cast<int>(steps));
}

inline unsigned extent(integer value, const char* what) {
    if (value.value < 1 || value.value > 0xFFFFFFFFLL)
        throw std::invalid_argument(std::string(what) + " of " + std::to_string(value.value) + " at these sizes");
    return static_cast<unsigned>(value.value);
}

struct Launch {
    int symbol;
    unsigned grid[3], block[3];
    unsigned shared_bytes;
    bool cooperative;
    unsigned cluster[3];  // zeros for none
};

// Vector loads and asynchronous copies need no more; every allocation has more.
constexpr std::uintptr_t ALIGNMENT = 32;

inline void check_alignment(const void* address, const char* name) {
    if (reinterpret_cast<std::uintptr_t>(address) % ALIGNMENT)
        throw std::invalid_argument(std::string(name) + " must be at a multiple of 32 bytes, as allocations are");
}

// What a plan is carried out by.
struct Run {
    virtual ~Run() = default;
    virtual void* scratch(integer bytes) = 0;
    virtual void begin(int kernel, int variant) = 0;
    virtual void constant(const char* symbol, const void* source, integer bytes) = 0;
    virtual void launch(const Launch& launch, void** parameters) = 0;
};

// Only adds up the scratch.
struct Measuring : Run {
    std::size_t bytes = 0;

    void* scratch(integer size) override {
        const std::size_t place = (bytes + 255) / 256 * 256;
        bytes = place + static_cast<std::size_t>(size.value);
        return nullptr;
    }
    void begin(int, int) override {}
    void constant(const char*, const void*, integer) override {}
    void launch(const Launch&, void**) override {}
};

inline bool fits(const Image& image, int major, int minor) {
    if (image.ptx) return std::make_pair(image.major, image.minor) <= std::make_pair(major, minor);
    return image.major == major && (image.exact ? image.minor == minor : image.minor <= minor);
}

// Loaded code, once a process: libraries of the driver belong to no context.
inline CUlibrary loaded(const Image& image) {
    static std::mutex guard;
    static std::map<const Image*, CUlibrary> libraries;
    const std::lock_guard<std::mutex> lock(guard);
    CUlibrary& library = libraries[&image];
    if (!library) check(cuLibraryLoadData(&library, image.code, nullptr, nullptr, 0, nullptr, nullptr, 0), "cuLibraryLoadData");
    return library;
}

// Launches on a stream of the current context.
class Launching : public Run {
public:
    Launching(const Image* images, int count, void* workspace, std::size_t bytes, CUstream stream)
        : images_(images), count_(count), workspace_(static_cast<char*>(workspace)), bytes_(bytes), stream_(stream) {}

    void* scratch(integer size) override {
        const std::size_t place = (used_ + 255) / 256 * 256;
        used_ = place + static_cast<std::size_t>(size.value);
        if (!workspace_ || used_ > bytes_) throw std::invalid_argument("the workspace is smaller than workspace_bytes(sizes)");
        return workspace_ + place;
    }

    void begin(int kernel, int variant) override {
        int major = 0, minor = 0;
        check(cuCtxGetDevice(&device_), "cuCtxGetDevice: a context must be current");
        check(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device_), "cuDeviceGetAttribute");
        check(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device_), "cuDeviceGetAttribute");
        image_ = nullptr;
        for (int i = 0; i < count_; ++i) {
            const Image& one = images_[i];
            if (!image_ && one.kernel == kernel && one.variant == variant && fits(one, major, minor)) image_ = &one;
        }
        if (!image_) {
            const std::string found = std::to_string(major) + "." + std::to_string(minor);
            throw std::runtime_error("no code for compute capability " + found + ": export it again with --arch");
        }
        library_ = loaded(*image_);
    }

    void constant(const char* symbol, const void* source, integer bytes) override {
        CUdeviceptr target;
        std::size_t size;
        check(cuLibraryGetGlobal(&target, &size, library_, symbol), symbol);
        const std::size_t wanted = static_cast<std::size_t>(bytes.value);
        check(cuMemcpyDtoDAsync(target, reinterpret_cast<CUdeviceptr>(source), wanted < size ? wanted : size, stream_), symbol);
    }

    void launch(const Launch& asked, void** parameters) override {
        CUkernel kernel;
        const char* symbol = image_->symbols[asked.symbol];
        check(cuLibraryGetKernel(&kernel, library_, symbol), symbol);
        if (asked.shared_bytes > 48 * 1024)
            check(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(asked.shared_bytes), kernel, device_), symbol);
        CUlaunchAttribute attributes[2] = {};
        CUlaunchConfig config = {};
        config.gridDimX = asked.grid[0], config.gridDimY = asked.grid[1], config.gridDimZ = asked.grid[2];
        config.blockDimX = asked.block[0], config.blockDimY = asked.block[1], config.blockDimZ = asked.block[2];
        config.sharedMemBytes = asked.shared_bytes;
        config.hStream = stream_;
        config.attrs = attributes;
        if (asked.cooperative) {
            attributes[config.numAttrs].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
            attributes[config.numAttrs++].value.cooperative = 1;
        }
        if (asked.cluster[0]) {
            if (asked.cluster[0] * asked.cluster[1] * asked.cluster[2] > 8)
                check(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1, kernel, device_), symbol);
            CUlaunchAttribute& cluster = attributes[config.numAttrs++];
            cluster.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
            cluster.value.clusterDim.x = asked.cluster[0];
            cluster.value.clusterDim.y = asked.cluster[1];
            cluster.value.clusterDim.z = asked.cluster[2];
        }
        check(cuLaunchKernelEx(&config, reinterpret_cast<CUfunction>(kernel), parameters, nullptr), symbol);
    }

private:
    const Image* images_;
    int count_;
    char* workspace_;
    std::size_t bytes_, used_ = 0;
    CUstream stream_;
    CUdevice device_ = 0;
    const Image* image_ = nullptr;
    CUlibrary library_ = nullptr;
};

}  // namespace exported

// Integers of 64 bits whose operations are checked: what the sizes of launches are computed in.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <stdexcept>

namespace exported {

struct integer {
    std::int64_t value;

    constexpr explicit integer(std::int64_t value) : value(value) {}
    constexpr explicit operator bool() const { return value != 0; }
};

constexpr std::int64_t LEAST = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t LARGEST = std::numeric_limits<std::int64_t>::max();

[[noreturn]] inline void too_large() { throw std::overflow_error("a value does not fit in 64 bits"); }

inline bool operator<(integer a, integer b) { return a.value < b.value; }
inline bool operator<=(integer a, integer b) { return a.value <= b.value; }
inline bool operator>(integer a, integer b) { return a.value > b.value; }
inline bool operator>=(integer a, integer b) { return a.value >= b.value; }
inline bool operator==(integer a, integer b) { return a.value == b.value; }
inline bool operator!=(integer a, integer b) { return a.value != b.value; }

inline integer operator-(integer a) {
    if (a.value == LEAST) too_large();
    return integer(-a.value);
}

inline integer operator+(integer a, integer b) {
    if (b.value > 0 ? a.value > LARGEST - b.value : a.value < LEAST - b.value) too_large();
    return integer(a.value + b.value);
}

inline integer operator-(integer a, integer b) {
    if (b.value < 0 ? a.value > LARGEST + b.value : a.value < LEAST + b.value) too_large();
    return integer(a.value - b.value);
}

inline integer operator*(integer a, integer b) {
    const std::int64_t x = a.value, y = b.value;
    if (x > 0 && (y > 0 ? x > LARGEST / y : y < LEAST / x)) too_large();
    if (x < 0 && (y > 0 ? x < LEAST / y : y < 0 && x < LARGEST / y)) too_large();
    return integer(x * y);
}

// Rounds down, as does the remainder below: its sign is that of the divisor.
inline integer floor_div(integer a, integer b) {
    if (b.value == 0) throw std::domain_error("division by zero");
    if (a.value == LEAST && b.value == -1) too_large();
    const std::int64_t quotient = a.value / b.value;
    return integer(quotient - (a.value % b.value != 0 && (a.value < 0) != (b.value < 0)));
}

inline integer operator%(integer a, integer b) {
    if (b.value == 0) throw std::domain_error("division by zero");
    if (b.value == -1) return integer(0);
    const std::int64_t rest = a.value % b.value;
    return integer(rest != 0 && (rest < 0) != (b.value < 0) ? rest + b.value : rest);
}

inline integer ceil_div(integer a, integer b) {
    if (b.value == 0) throw std::domain_error("division by zero");
    if (a.value == LEAST && b.value == -1) too_large();
    const std::int64_t quotient = a.value / b.value;
    return integer(quotient + (a.value % b.value != 0 && (a.value < 0) == (b.value < 0)));
}

inline integer next_pow2(integer a) {
    std::int64_t power = 1;
    while (power < a.value) {
        if (power > LARGEST / 2) too_large();
        power *= 2;
    }
    return integer(power);
}

inline integer log2(integer a) {
    if (a.value < 1) throw std::domain_error("log2 needs a value of at least 1");
    std::int64_t bits = 0;
    for (std::int64_t rest = a.value; rest > 1; rest /= 2) ++bits;
    return integer(bits);
}

inline integer min_of(std::initializer_list<integer> values) {
    integer found = *values.begin();
    for (integer one : values)
        if (one < found) found = one;
    return found;
}

inline integer max_of(std::initializer_list<integer> values) {
    integer found = *values.begin();
    for (integer one : values)
        if (one > found) found = one;
    return found;
}

}  // namespace exported

#include "format/protobuf.h"

#include <cstring>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::format {

void ProtoReader::fail(const std::string& problem) const { throw FormatError(where_ + ": " + problem); }

void ProtoReader::unknown_field() const {
  fail(text("field {} is not understood; it may change how text is cut, so the file is not read", field_));
}

uint64_t ProtoReader::take_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (left_.empty()) fail("a number is cut short");
    const unsigned char byte = static_cast<unsigned char>(left_[0]);
    left_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;  // beyond 64 bits
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number has more than 64 bits");
}

std::string_view ProtoReader::take(uint64_t n) {
  if (n > left_.size()) fail(text("field {} claims {} bytes, {} are left", field_, n, left_.size()));
  const std::string_view taken = left_.substr(0, n);
  left_.remove_prefix(n);
  return taken;
}

bool ProtoReader::next() {
  if (left_.empty()) return false;
  const uint64_t tag = take_varint();
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) fail(text("there is no field {}", tag >> 3));
  field_ = static_cast<uint32_t>(tag >> 3);
  switch (tag & 7) {
    case 0:
      number_ = take_varint();
      break;
    case 1:
      payload_ = take(8);
      break;
    case 2:
      payload_ = take(take_varint());
      break;
    case 5:
      payload_ = take(4);
      break;
    default:
      fail(text("field {} has the wire type {}, expected 0, 1, 2 or 5", field_, tag & 7));
  }
  wire_ = static_cast<Wire>(tag & 7);
  return true;
}

void ProtoReader::expect(Wire wire, const char* kind) const {
  if (wire_ != wire) {
    fail(text("field {} has the wire type {}, expected {} ({})", field_, static_cast<int>(wire_), kind,
              static_cast<int>(wire)));
  }
}

uint64_t ProtoReader::varint() const {
  expect(Wire::varint, "a number");
  return number_;
}

int32_t ProtoReader::int32() const {
  const int64_t value = static_cast<int64_t>(varint());  // negative numbers are written as 64 bits
  if (value < INT32_MIN || value > INT32_MAX) fail(text("field {} is {}, expected 32 bits", field_, value));
  return static_cast<int32_t>(value);
}

float ProtoReader::float32() const {
  expect(Wire::fixed32, "a float");
  float value;
  std::memcpy(&value, payload_.data(), sizeof value);
  return value;
}

std::string_view ProtoReader::bytes() const {
  expect(Wire::bytes, "bytes");
  return payload_;
}

std::string_view ProtoReader::utf8() const {
  if (!valid_utf8(bytes())) fail(text("field {} is not valid UTF-8", field_));
  return payload_;
}

}  // namespace cutaway::format

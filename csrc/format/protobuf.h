// A reader of protocol buffers' wire format: fields of a message that lies in memory, one after another.
// Every length is compared with what is left of its message before anything is done with it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace cutaway::format {

class ProtoReader {
 public:
  // message must outlive the reader. where: what error messages begin with, such as "tokenizer.model: piece
  // 7".
  ProtoReader(std::string_view message, std::string where) : left_(message), where_(std::move(where)) {}

  // Steps to the next field; false at the end. FormatError for one that is cut short or of a wire type that
  // does not exist.
  bool next();
  uint32_t field() const { return field_; }

  // The value of the field; FormatError where it is of another wire type.
  uint64_t varint() const;
  bool boolean() const { return varint() != 0; }
  int32_t int32() const;  // FormatError where it does not fit
  float float32() const;
  std::string_view bytes() const;
  std::string_view utf8() const;  // FormatError where it is not valid UTF-8

  const std::string& where() const { return where_; }
  [[noreturn]] void fail(const std::string& problem) const;
  [[noreturn]] void unknown_field() const;  // FormatError that names it

 private:
  enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  uint64_t take_varint();
  std::string_view take(uint64_t n);
  void expect(Wire wire, const char* kind) const;

  std::string_view left_;
  std::string where_;
  uint32_t field_ = 0;
  Wire wire_ = Wire::varint;
  uint64_t number_ = 0;
  std::string_view payload_;
};

}  // namespace cutaway::format

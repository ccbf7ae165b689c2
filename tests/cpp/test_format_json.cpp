#include <cstdint>

#include "core/error.h"
#include "format/json.h"
#include "format/utf8.h"
#include "gtest/gtest.h"

namespace cutaway::format {
namespace {

// The message with which the whole text is refused as JSON, or "".
std::string json_refusal(std::string_view source) {
  try {
    JsonReader json(source, "some.json");
    json.skip();
    json.end();
    return "";
  } catch (const FormatError& error) {
    EXPECT_EQ(std::string_view(error.what()).rfind("some.json: JSON at offset ", 0), 0u) << error.what();
    return error.what();
  }
}

TEST(FormatJson, AcceptsWhatTheStandardAccepts) {
  for (const char* good : {"{}", "[]", " [ 1 , 2 ] ", "\"\"", "0", "-0", "-1.5e+10", "1E2", "true", "false",
                           "null", R"({"a":{"a":[{"a":1}]}})", R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")",
                           "\"\xc3\xa9\x7f\"", "\t\r\n {\"x\" : [ ] }\n"}) {
    EXPECT_EQ(json_refusal(good), "") << good;
  }
}

TEST(FormatJson, RefusesEverythingElse) {
  const std::pair<const char*, const char*> table[] = {
      {"", "ends"},
      {"   ", "ends"},
      {"[1,]", "expected a value"},
      {"[1 2]", "expected ',' or ']'"},
      {"[1", "expected ',' or ']'"},
      {"{\"a\" 1}", "expected ':'"},
      {"{\"a\":1,}", "expected a value"},
      {"{a:1}", "expected a value"},
      {"{1:1}", "expected a string"},
      {"{} x", "more text"},
      {"{}{}", "more text"},
      {"01", "starts with 0"},
      {"-", "not a number"},
      {"1.", "not a number"},
      {".5", "expected a value"},
      {"1e", "not a number"},
      {"+1", "expected a value"},
      {"NaN", "expected a value"},
      {"Infinity", "expected a value"},
      {"-Infinity", "not a number"},
      {"1e999", "outside the range"},
      {"tru", "expected 'true'"},
      {"nul", "expected 'null'"},
      {"'a'", "expected a value"},
      {"\"a", "does not end"},
      {"\"\\", "escape"},
      {"\"\\x41\"", "escape"},
      {"\"\\u12g4\"", "hexadecimal"},
      {"\"\\ud83d\"", "surrogate"},
      {"\"\\ude00\"", "surrogate"},
      {"\"\\ud83d\\u0041\"", "surrogate"},
      {"\"\\ud83dx\"", "surrogate"},
      {"\"a\nb\"", "control character"},
      {"\"\xff\"", "not UTF-8"},
      {"\"\xc0\xaf\"", "not UTF-8"},
      {"\"\xed\xa0\x80\"", "not UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "not UTF-8"},
      {"\xef\xbb\xbf{}", "expected a value"},
      {"// c\n{}", "expected a value"},
      {R"({"a":1,"b":2,"a":3})", "'a' twice"},
      {R"({"a":1,"\u0061":3})", "'a' twice"},
      {R"([{"x":{"":1,"":2}}])", "'' twice"},
  };
  for (const auto& [bad, why] : table) {
    const std::string message = json_refusal(bad);
    EXPECT_NE(message.find(why), std::string::npos) << bad << " gave: " << message;
  }
}

TEST(FormatJson, DepthIsBounded) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(json_refusal(nested(64)), "");
  EXPECT_NE(json_refusal(nested(65)).find("deeper than 64"), std::string::npos);
  EXPECT_NE(json_refusal(nested(1'000'000)).find("deeper than 64"), std::string::npos);
}

TEST(FormatJson, IntegersAreExact) {
  const auto number = [](std::string_view source) { return JsonReader(source, "f").number(); };
  EXPECT_EQ(number("9007199254740993"), JsonNumber(int64_t{9007199254740993}));
  EXPECT_EQ(number("-9223372036854775808"), JsonNumber(INT64_MIN));
  EXPECT_EQ(number("9223372036854775808"), JsonNumber(uint64_t{1} << 63));
  EXPECT_EQ(number("18446744073709551615"), JsonNumber(UINT64_MAX));
  EXPECT_EQ(number("18446744073709551616"), JsonNumber(18446744073709551616.0));
  EXPECT_EQ(number("1.0"), JsonNumber(1.0));
  EXPECT_EQ(number("0.1"), JsonNumber(0.1));
}

TEST(FormatJson, StringsAreDecoded) {
  EXPECT_EQ(JsonReader(R"("a\u00e9\ud83d\ude00\n\/")", "f").string(), "a\xc3\xa9\xf0\x9f\x98\x80\n/");
  EXPECT_EQ(JsonReader(R"("\u0000")", "f").string(), std::string(1, '\0'));
}

TEST(FormatUtf8, ShownEscapesWhatATerminalShouldNotSee) {
  EXPECT_EQ(shown("a\xc3\xa9\x1b[0m\xff\x7f"), "a\xc3\xa9\\x1b[0m\\xff\\x7f");
  EXPECT_EQ(shown(std::string(1000, 'x'), 10), "xxxxxxxxxx...");
  EXPECT_EQ(shown({"\0", 1}), "\\x00");
}

}  // namespace
}  // namespace cutaway::format

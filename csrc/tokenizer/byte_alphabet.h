// GPT-2's spelling of bytes as printable characters: itself where Latin-1 has a visible one, else U+0100 and
// on (a space is U+0120).
#pragma once
#include <string>
#include <string_view>

namespace cutaway {

std::string_view letter_of(unsigned char byte);  // UTF-8
int byte_of_letter(char32_t cp);                 // -1: no letter of the alphabet

std::string spelled_bytes(std::string_view bytes);
// Back again; false, with `bytes` undefined, where a character is not of the alphabet.
bool unspelled_bytes(std::string_view spelling, std::string& bytes);

}  // namespace cutaway

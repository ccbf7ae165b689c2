// GPT-2's alphabet: every byte as a printable character, itself where Latin-1 has a visible one, else U+0100
// and on. The files spell the tokens of byte-level vocabularies in it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/aligned_text.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/hf/cutter.h"

namespace cutaway::hf {

void append_letters(std::string& out, std::string_view bytes);
// The bytes that a piece spells, appended; false, with nothing appended, if it has another character in it.
bool append_bytes_of(std::string& out, std::string_view piece);

void into_letters(AlignedText& text);  // every byte becomes its letter
void out_of_letters(CutText& cut);     // every letter its byte; other characters are left out

}  // namespace cutaway::hf

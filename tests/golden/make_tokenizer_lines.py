"""Writes tokenizer_lines.json: the texts that the tokenizer goldens are made of. Deterministic; needs only Python.

Sentences were written for this file; the rest is drawn from seeded generators. JSON, because many lines hold CR, LF,
NUL and other characters that no line-based file survives.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parent / "tokenizer_lines.json"

SCRIPTS = {
    "Latin": "Every morning the old baker opens his shop before sunrise and sings. Ça coûte 3,50 € à l'entrée, "
    "n'est-ce pas? Straße, Größe, Übermut. Čeština má háčky a čárky. İstanbul'da ışık. Zażółć gęślą jaźń. "
    "Tiếng Việt có dấu.",
    "Greek": "Κάθε πρωί ο γέρος φούρναρης ανοίγει το μαγαζί του πριν από την ανατολή και τραγουδά. Μῆνιν ἄειδε θεά.",
    "Cyrillic": "Каждое утро старый пекарь открывает лавку до рассвета и поёт. Щастя, ґанок, їжак. Ђорђе љуби Њу.",
    "Armenian": "Ամեն առավոտ ծեր հացթուխը բացում է իր խանութը լուսաբացից առաջ և երգում է։",
    "Hebrew": "בכל בוקר האופה הזקן פותח את חנותו לפני הזריחה ושר. שָׁלוֹם עֲלֵיכֶם.",
    "Arabic": "كل صباح يفتح الخباز العجوز دكانه قبل شروق الشمس ويغني. السَّلَامُ عَلَيْكُمْ ١٢٣٤٥٦٧٨٩٠ ۱۲۳۴",
    "Devanagari": "हर सुबह बूढ़ा बेकर सूर्योदय से पहले अपनी दुकान खोलता है और गाता है। क्षत्रिय ज्ञान १२३४५६७८९०",
    "Bengali": "প্রতিদিন সকালে বুড়ো রুটিওয়ালা সূর্যোদয়ের আগে দোকান খোলে আর গান গায়। ১২৩৪৫",
    "Gurmukhi": "ਹਰ ਸਵੇਰ ਬੁੱਢਾ ਨਾਨਬਾਈ ਸੂਰਜ ਚੜ੍ਹਨ ਤੋਂ ਪਹਿਲਾਂ ਆਪਣੀ ਦੁਕਾਨ ਖੋਲ੍ਹਦਾ ਹੈ ਅਤੇ ਗਾਉਂਦਾ ਹੈ।",
    "Gujarati": "દરરોજ સવારે ઘરડો ભઠિયારો સૂર્યોદય પહેલાં દુકાન ખોલે છે અને ગાય છે.",
    "Tamil": "ஒவ்வொரு காலையும் வயதான ரொட்டிக்காரர் சூரிய உதயத்திற்கு முன் கடையைத் திறந்து பாடுகிறார்.",
    "Telugu": "ప్రతి ఉదయం ముసలి రొట్టెలవాడు సూర్యోదయానికి ముందే దుకాణం తెరిచి పాడతాడు.",
    "Kannada": "ಪ್ರತಿ ಬೆಳಿಗ್ಗೆ ಮುದಿ ಬೇಕರ್ ಸೂರ್ಯೋದಯಕ್ಕೆ ಮೊದಲು ಅಂಗಡಿ ತೆರೆದು ಹಾಡುತ್ತಾನೆ.",
    "Malayalam": "എല്ലാ ദിവസവും രാവിലെ വൃദ്ധനായ അപ്പക്കാരൻ സൂര്യോദയത്തിനു മുമ്പ് കട തുറന്ന് പാടുന്നു.",
    "Sinhala": "සෑම උදෑසනකම මහලු බේකරිකරු හිරු උදාවට පෙර සිය කඩය විවෘත කර ගී ගයයි.",
    "Thai": "ทุกเช้าคนทำขนมปังแก่เปิดร้านก่อนพระอาทิตย์ขึ้นและร้องเพลง ๑๒๓๔๕",
    "Lao": "ທຸກໆເຊົ້າຄົນອົບເຂົ້າຈີ່ເຖົ້າເປີດຮ້ານກ່ອນຕາເວັນຂຶ້ນແລະຮ້ອງເພງ.",
    "Myanmar": "နံနက်တိုင်း မုန့်ဖုတ်သမားအိုကြီးသည် နေမထွက်မီ ဆိုင်ဖွင့်ပြီး သီချင်းဆိုသည်။ ၁၂၃၄",
    "Khmer": "រៀងរាល់ព្រឹក អ្នកដុតនំចាស់បើកហាងមុនថ្ងៃរះ ហើយច្រៀង។ ១២៣",
    "Tibetan": "ཞོགས་པ་རེ་རེ་བཞིན་བག་ལེབ་མཁན་རྒན་པོས་ཉི་མ་མ་ཤར་གོང་ཚོང་ཁང་སྒོ་ཕྱེ་ནས་གླུ་ལེན།",
    "Georgian": "ყოველ დილით მოხუცი მცხობელი მზის ამოსვლამდე ხსნის დუქანს და მღერის. ᲗᲑᲘᲚᲘᲡᲘ",
    "Ethiopic": "በየማለዳው ሽማግሌው ዳቦ ጋጋሪ ፀሐይ ከመውጣቷ በፊት ሱቁን ይከፍትና ይዘፍናል። ፩፪፫",
    "Cherokee": "ᏂᎦᎥ ᏑᎾᎴᎢ ᎠᎦᏴᎵ ᎦᏚ ᎪᏢᏍᎩ ᎠᏍᏚᎢᏍᎪᎢ ᎠᎴ ᏕᎧᏃᎩᏍᎪᎢ.",
    "Mongolian": "ᠥᠷᠯᠥᠭᠡ ᠪᠦᠷᠢ ᠬᠥᠭᠰᠢᠨ ᠲᠠᠯᠬᠠᠴᠢᠨ ᠳᠠᠭᠤᠯᠠᠳᠠᠭ ᠃",
    "Hangul": "매일 아침 늙은 제빵사는 해가 뜨기 전에 가게 문을 열고 노래를 부른다. ㄱㄴㄷ ㅏㅑㅓ",
    "Han": "每天早上，老面包师在日出之前打开店门唱歌。臺灣的繁體字：麵包師傅。一二三四五，𠮷野家，㐀㐁。",
    "Kana": "毎朝、年老いたパン屋は日の出前に店を開けて歌う。カタカナ、ひらがな、ﾊﾝｶｸ、ー〜・「」。",
    "Symbols": "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, √2 ≈ 1.414, ½ + ⅓, x² + y³, ①②③, Ⅳ, ™®©, ←↑→↓, ♠♥♦♣, ░▒▓█, ﷽ ﬁ ﬂ",
}

PROMPTS_TEXT = """What is the capital of France?
Write a haiku about a compiler that refuses to optimise.
Explain, in three steps, how a transformer predicts the next token.
I'm sure they've said we'll go; he'd know, wouldn't he? It's what y'all DON'T say.
Translate "good morning" into Japanese, Hindi and Arabic.
The answer is 42, or 3.14159, or 1,000,000, or 1e-10, or 0xDEADBEEF.
Dear Sir/Madam,\n\n\tI am writing to you about order #12345-67/B.\n\nYours,\nA. N. Other
https://example.org/path/to/page?query=a%20b&x=1#fragment and mailto:someone@example.org
Hello, world! This is tokenization.
What is the meaning of life, the universe, and everything?
unbelievable antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis
ALL CAPS SHOUTING, camelCaseWords, snake_case_words, kebab-case-words, SCREAMING_SNAKE
 leading space
  two leading spaces
trailing space\x20
trailing tab\t
a  b   c    d     e      f       g        h
\tindented\n\t\ttwice\n\t\t\tthree times
'quoted' "double" `code` ‘curly’ “double curly” «guillemets» ‹single›
'S 'T 'RE 'VE 'M 'LL 'D 's't're've'm'll'd ''s '' '
wait...what?!?! no—really… -- --- ---- ====== ###### ~~~~~~
1st 2nd 3rd 4th 10% $5.00 €7,50 £3 ¥900 ₹100 12:30 2026-11-22T01:02:03Z
(a) [b] {c} <d> |e| \\f /g
<b>bold</b> <i>x</i> <table><tr><td>1</td></tr></table> <h1>T</h1> </s> <s> <unk> <pad>
<0x0A> <0x41> ▁ ▁▁ a▁b Ġ Ċ Ġthe
"""

CODE_TEXT = '''def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
#include <vector>
template <class T> T sum(const std::vector<T>& v) { T s{}; for (auto& x : v) s += x; return s; }
int main(int argc, char** argv) { return argc > 1 ? 0x7f : -1; }  // exit code
SELECT name, COUNT(*) AS n FROM users WHERE age >= 21 GROUP BY name HAVING n > 5 ORDER BY n DESC;
{"id": 17, "tags": ["a", "b\\u00e9"], "nested": {"x": null, "y": [1.5e-3, true, false]}, "s": "line\\nbreak"}
const f = async (x) => { await g(`${x}`); return x?.y ?? [...z]; };
fn main() { let v: Vec<u8> = (0..=255).collect(); println!("{:?}", &v[..4]); }
<!DOCTYPE html><html lang="en"><body class='x'>&lt;p&gt; &amp; &#39;</body></html>
for i in $(seq 1 10); do echo "$i" | sed 's/1/one/g' >> "out_${i}.txt" 2>&1; done
x = np.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(d_head)  # [batch, head, query_pos, key_pos]
\t\tif err != nil { return nil, fmt.Errorf("open %q: %w", path, err) }
% \\begin{equation} E = mc^2 \\label{eq:1} \\end{equation}
0000000 7f45 4c46 0201 0100 0000 0000 0000 0000
2026-11-22 01:02:03,456 [INFO] worker-3: processed 1024 items in 0.037s (27675.7/s)'''

PROMPTS, CODE = PROMPTS_TEXT.split("\n"), CODE_TEXT.split("\n")

EMOJI = ["😀", "🤦🏽‍♂️", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "🇯🇵🇺🇸", "❤️", "☃", "👍🏿", "🧑‍💻", "0️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "✌️", "🫠", "🪿"]
WHITE = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"


def any_character(rng: random.Random) -> str:
    """A code point of a random plane and size: assigned or not, never a surrogate."""
    while True:
        top = rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
        cp = rng.randrange(top)
        if not 0xD800 <= cp < 0xE000:
            return chr(cp)


def lines() -> Iterator[str]:
    rng = random.Random(20261122)
    yield ""
    yield from PROMPTS
    yield from CODE
    yield "\n".join(CODE)
    yield "\r\n".join(CODE)
    for sentence in SCRIPTS.values():
        yield sentence
        for _ in range(18):  # slices that begin and end anywhere, inside clusters too
            begin = rng.randrange(len(sentence))
            yield sentence[begin : begin + rng.randint(1, 50)]
    pool = PROMPTS + CODE + list(SCRIPTS.values())
    for _ in range(250):  # scripts beside one another, with and without a space
        parts = []
        for _ in range(rng.randint(2, 4)):
            source = rng.choice(pool) or "x"
            begin = rng.randrange(len(source))
            parts.append(source[begin : begin + rng.randint(1, 15)])
        yield rng.choice(["", " ", "\n", "  ", " — "]).join(parts)
    for _ in range(200):
        yield "".join(rng.choice([*EMOJI, " ", "a", "1", "!"]) for _ in range(rng.randint(1, 8)))
    for _ in range(250):  # white space of every kind between a few words
        yield "".join(
            rng.choice(WHITE) * rng.choice([1, 1, 2, 3, 7, 40])
            if rng.random() < 0.6
            else rng.choice(["a", "the", "1", "é", ".", "字", "'s"])
            for _ in range(rng.randint(1, 9))
        )
    for _ in range(120):
        yield (
            " " * rng.randint(0, 70)
            + rng.choice(["", "x", "\n", "\t", "1"])
            + "\n" * rng.randint(0, 70)
            + "\t" * rng.randint(0, 70)
        )
    for _ in range(150):  # digits of all kinds, with separators
        digits = rng.choice(["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "²³¹½¾Ⅻ①𝟎𝟗"])
        yield "".join(
            rng.choice(digits) if rng.random() < 0.8 else rng.choice(" .,a-") for _ in range(rng.randint(1, 20))
        )
    for _ in range(150):  # contractions and apostrophes
        yield "".join(
            rng.choice(["'", "’", "'s", "'re", "'ll", "'LL", "I", "we", " ", "t", "1", ".", "é"])
            for _ in range(rng.randint(1, 12))
        )
    for _ in range(120):  # control characters
        yield "".join(
            chr(rng.randrange(32)) if rng.random() < 0.5 else rng.choice(["\x7f", "\x80", "\x9f", "ab", " ", "."])
            for _ in range(rng.randint(1, 10))
        )
    for _ in range(150):  # combining marks and bidirectional controls
        yield "".join(
            rng.choice(
                [
                    "e\u0301",
                    "a\u0328\u0304",
                    "\u200f",
                    "\u202eabc\u202c",
                    "\u0e33",
                    "ש\u05c1",
                    "\u2067x\u2069",
                    "n",
                    " ",
                ]
            )
            for _ in range(rng.randint(1, 9))
        )
    for _ in range(400):
        yield "".join(any_character(rng) for _ in range(rng.randint(1, 16)))
    for n in (15, 16, 17, 31, 32, 33, 63, 100, 333):
        for unit in ("a", "A", "=", "字", "ab", "é", "0", "-", "'", "ha", "\u200d", "\x00"):
            yield unit * n
    yield from (".\x04.", "=\x06=\x06=", "-\x13-\x06 a")  # symbols around bytes that some vocabularies lack


if __name__ == "__main__":
    found = list(lines())
    TARGET.write_text(json.dumps(found, ensure_ascii=True, indent=0) + "\n")
    print(f"{len(found)} lines, {TARGET.stat().st_size} bytes")

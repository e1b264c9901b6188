import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CsvOptions, readCsv } from "../../src/files/csv.js";
import { kindOfText } from "../../src/files/csv-field.js";
import { memorySource } from "../../src/files/source.js";
import { NonFiniteError } from "../../src/matrix/errors.js";
import { expand } from "./expand.js";
import { checkError, largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { latin1 } from "./writers.js";

const utf8 = (text: string) => new TextEncoder().encode(text);
const table = (text: string, options?: CsvOptions) => readCsv(memorySource(utf8(text)), options);
const read = (text: string, options?: CsvOptions) => expand(table(text, options));
const why = (text: string, options?: CsvOptions): string => {
  try {
    return `was read: ${JSON.stringify(read(text, options))}`;
  } catch (error) {
    return checkError(error).message;
  }
};
const refused = (text: string) => refusal(utf8(text), "x.csv").message;

const small = [
  [1, 2, 3],
  [4, 5, 6],
];

describe("csv", () => {
  it("splits fields at commas, semicolons, tabs and spaces", () => {
    for (const text of [
      "1,2,3\n4,5,6\n",
      "1,2,3\n4,5,6",
      " 1 , 2 ,3\n4,5,6",
      "1;2;3\r\n4;5;6\r\n",
      "1\t2\t3\n4\t5\t6\n",
      "1\t 2\t3 \n 4\t5\t6\n",
      "1 2 3\n4 5 6\n",
      "  1   2  3\n 4 5\t6  \n",
      "1 2\t3\n4 5 6\n",
      "1,2,3\r4,5,6\r",
      "1,\t2,\t3\n4,\t5,\t6\n",
      "1, 2, 3,\n4, 5, 6,\n",
      "1;2;3; \n4;5;6;\n",
      "1\t2\t3\t\n4\t5\t6\t\n",
      '"1","2","3"\n"4"," 5 ",6\n',
      '"1" "2" 3\n4 5 6\n',
      "\n# a, comment\n\n1,2,3\n  # another\n  \n4,5,6\n\n",
      "\ufeff1,2,3\n4,5,6\n",
      "+1,2.,3e0\n4.0,.5e1,6d0\n",
    ]) {
      expect(read(text), JSON.stringify(text)).toEqual(small);
    }
  });

  it("takes a first row without a number for a header", () => {
    for (const text of [
      "a,b,c\n1,2,3\n4,5,6\n",
      '"a, the first","b ""quoted""",c\n1,2,3\n4,5,6\n',
      "x y z\n1 2 3\n4 5 6\n",
      "one two three four\n1 2 3\n4 5 6\n",
      "first name\tsecond name\tthird name\n1\t2\t3\n4\t5\t6\n",
      "größe;länge;tiefe\n1;2;3\n4;5;6\n",
      "a,b,c,\n1,2,3,\n4,5,6,\n",
    ]) {
      expect(read(text), JSON.stringify(text)).toEqual(small);
    }
    expect(read("the value\n7\n8\n")).toEqual([[7], [8]]);
  });

  it("reads single numbers, columns and rows", () => {
    expect(read("5")).toEqual([[5]]);
    expect(read("1\n2\n3")).toEqual([[1], [2], [3]]);
    expect(read("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18")).toHaveLength(1);
  });

  it("gives back every double that is written into it", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    const row = fc.array(finite, { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(",", ";", "\t", "  "),
        (rows, by) => {
          const text = rows.map((each) => each.map((x) => (Object.is(x, -0) ? "-0" : x)).join(by)).join("\n");
          expect(read(text)).toEqual(rows);
        },
      ),
    );
  });

  it("refuses ragged rows, naming the row and its line", () => {
    expect(refused("1,2\n3\n")).toBe("line 2: row 1 has 1 field, the first row 2");
    expect(refused("# x\n1,2\n\n3,4,5\n")).toBe("line 4: row 1 has 3 fields, the first row 2");
    expect(refused("1 2\n3 4 5\n")).toMatch(/row 1 has 3/);
    expect(refused("a,b,c\n1,2\n3,4\n")).toMatch(/first row has 2 fields, the header 3/);
    expect(refused("1,2,\n3,4\n")).toMatch(/line 2: .*delimiter/);
  });

  it("refuses what is not a number, naming row, column and line", () => {
    expect(refused("1,2\n3,x\n")).toBe('line 2: row 1, column 1 (counted from 0) is "x", not a number');
    expect(refused("1,2\n3,\n")).toMatch(/row 1, column 1 .*is empty/);
    expect(refused("1,,2\n")).toMatch(/row 0, column 1 .*is empty/);
    expect(refused("1\t\t2\n")).toMatch(/row 0, column 1 .*is empty/);
    expect(refused("a,1\n2,3\n")).toMatch(/row 0, column 0 .*"a"/);
    expect(refused("1,5;2,5\n3,5;4,5\n")).toMatch(/decimal comma/);
    expect(refused("1;2\n3;4,5\n")).toMatch(/row 1, column 1 .*decimal comma/);
    expect(refused('1,"2\n3,4"\n')).toMatch(/line 1: a quoted field does not end/);
    expect(refused('1,"2"3\n')).toMatch(/row 0, column 1/);
    expect(refused("a,b\nc,d\n")).toMatch(/row 0, column 0/);
    expect(refused(`1,${"9".repeat(500)}x\n`).length).toBeLessThan(200);
    expect(refused("1,\u001b[31m\u2028\n")).toMatch(/\\x1b\[31m\\u2028/);
  });

  it("refuses files without numbers", () => {
    expect(refused("")).toMatch(/empty/);
    expect(refused("\n\n# x\n")).toMatch(/empty, or nothing but comments/);
    expect(refused("a,b\n")).toMatch(/holds no numbers.*"a"/);
    expect(refusal(latin1("\xff\xfe1\x00"), "x.csv").message).toMatch(/UTF-16/);
  });

  it("names row and column of what is not finite, counted from 0", () => {
    for (const value of ["nan", "NaN", "inf", "-Infinity", "1e400"]) {
      const error = refusal(utf8(`a,b\n1,2\n3,${value}\n`), "x.csv");
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(error).toMatchObject({ row: 1, column: 1 });
    }
  });

  /** Ways in which programs and people write a value that is not a number as it is read here. */
  const nearNumbers = [
    ...["0,5", "1,000", "1,000,000.5", "1.000,5", "1 000", "1'000", "1_000", "\u00a05", "5\u202f000"],
    ...["50%", "5 %", "$5", "€5", "5€", "R$ 5", "USD 5", "kr 5", "(5)", "<5", "≥5", "~5", "*5", "±5"],
    ...[
      "1+2j",
      "2i",
      "(1+2j)",
      "\u22125",
      "\u20135",
      "\uff0d5",
      "\ufe635",
      "-\u200b5",
      "\u200b5",
      "５",
      "٣",
      "½",
      "5²",
      "0x1F",
    ],
    ...["1e", "1.5.2", "1:30", "2020-01-01", "1/2", "1.#QNAN", "#DIV/0!"],
    ...[
      "NA",
      "N/A",
      "#N/A",
      "n/a",
      "null",
      "NULL",
      "None",
      "?",
      "-",
      "--",
      ".",
      "*",
      "TRUE",
      "false",
      "<NA>",
      "∞",
      "-∞",
    ],
  ];

  it("never takes a row for a header whose fields might be values, and names the option that settles it", () => {
    for (const odd of nearNumbers)
      for (const text of [
        `"${odd}";"${odd}"\n1;2\n3;4\n`,
        `1;"${odd}"\n1;2\n3;4\n`,
        `name;"${odd}"\n1;2\n3;4\n`,
        `"${odd}";name\n1;2\n3;4\n`,
        `"${odd}"\n1\n3\n`,
      ]) {
        expect(why(text), text).toMatch(/^line 1: row 0, column \d .*--(header|decimal|index)/);
        // Whoever says that it is a header gets the rest, and who says that it is none gets no number.
        expect(read(text, { header: true })).toEqual(
          text.includes(";")
            ? [
                [1, 2],
                [3, 4],
              ]
            : [[1], [3]],
        );
        expect(why(text, { header: false })).toMatch(/^line 1: row 0/);
      }
    expect(why("0,5;0,5\n")).toMatch(/--decimal ,/);
    expect(why("0,5;0,5\n1,5;2,5\n")).toMatch(/--decimal ,/);
    expect(why('"1,000","2,000"\n"3,000","4,000"\n')).toMatch(/--decimal , .*thousands/);
    expect(why("0,5\t0,5\n1,5\t2,5\n")).toMatch(/--decimal ,/);
    expect(why("0,5 0,5\n1,5 2,5\n")).toMatch(/--decimal/);
  });

  it("never reads such a field as a number below the first row", () => {
    for (const odd of nearNumbers) {
      expect(why(`a;b\n1;2\n3;"${odd}"\n`), odd).toMatch(/^line 3: row 1, column 1/);
      if (!odd.includes(","))
        expect(why(`1,2\n${odd},4\n`), odd).toMatch(/^line 2: (row 1, column 0|.*spreadsheet)/);
    }
  });

  it("reads decimal commas, and refuses points beside them", () => {
    const comma = { decimal: "," } as const;
    const half = [
      [0.5, -1.25],
      [3, 4e10],
    ];
    for (const text of [
      "0,5;-1,25\n3;4e10\n",
      "a;b\n0,5;-1,25\n3;4E+10\n",
      "0,5\t-1,25\n3\t4e10\n",
      "0,5 -1,25\n3 4e10\n",
      "sep=;\n0,5;-1,25\n3;4e10\n",
    ])
      expect(read(text, comma), text).toEqual(half);
    expect(read("0,1234567890123456789012\n", comma)).toEqual([[Number("0.1234567890123456789012")]]);
    expect(why("0.5;1\n2;3\n", comma)).toMatch(/row 0, column 0 .*--decimal \./);
    expect(why("1.000,5;1\n2;3\n", comma)).toMatch(/row 0, column 0/);
    expect(why("1,2\n", { decimal: ",", delimiter: "," })).toMatch(/--decimal/);
    expect(why("sep=,\n1,2\n", comma)).toMatch(/--decimal/);
  });

  it("takes the delimiter that is said, here or in Excel's first line", () => {
    expect(read("1|2|3\n4|5|6\n", { delimiter: "|" })).toEqual(small);
    expect(read("1:2:3\n4:5:6\n", { delimiter: ":" })).toEqual(small);
    expect(read("a;b,c;d,e\n1,2,3\n4,5,6\n", { delimiter: "," })).toEqual(small);
    for (const first of ["sep=|", "SEP=|", '"sep=|"', "sep=| "])
      expect(read(`${first}\r\n1|2|3\r\n4|5|6\r\n`)).toEqual(small);
    expect(read("sep=\t\n1\t2\t3\n4\t5\t6\n")).toEqual(small);
    expect(read("sep=,\n1;2;3\n4;5;6\n", { delimiter: ";" })).toEqual(small);
    expect(table("sep=:\n1:2\n").note).toMatch(/":".*--delimiter says otherwise/);
    expect(why("sep=;\n1,2\n3,4\n")).toMatch(/row 0, column 0/);
    expect(why("sep=;\n")).toMatch(/no numbers/);
    // One column of decimal commas and two columns of integers look the same; it is said which was taken.
    for (const text of ["7,5\n2,5\n3,5\n", "0,5\n", "0,5"])
      expect(table(text).note, text).toMatch(/commas separate two columns.*--decimal/);
    expect(table("7,5\n2,5\n3,5\n", { delimiter: "," }).note).toBeUndefined();
    for (const text of ["7,5\n2,-5\n4,5\n", "7,5\n", "0,5\n5,0\n"])
      expect(table(text).note, text).toBeUndefined();
    for (const text of ["1,05\n2,50\n", "1,000\n2,000\n", "1,000,000\n2,000,001\n"])
      expect(why(text), text).toMatch(/column \d .*--delimiter , or --decimal ,/);
    expect(read("1,05\n2,50\n", { delimiter: "," })).toEqual([
      [1, 5],
      [2, 50],
    ]);
  });

  const labelled = {
    "pandas' to_csv": ",0,1,2\n0,1,2,3\n1,4,5,6\n",
    "pandas' to_csv with names": ",a,b,c\n0,1,2,3\n1,4,5,6\n",
    "pandas' to_csv with row names": ",a,b,c\nx,1,2,3\ny,4,5,6\n",
    "pandas' to_csv with tabs": "\ta\tb\tc\nx\t1\t2\t3\ny\t4\t5\t6\n",
    "pandas' to_string": "   a  b  c\n0  1  2  3\n1  4  5  6\n",
    "R's write.csv": '"","V1","V2","V3"\n"1",1,2,3\n"2",4,5,6\n',
    "R's write.csv of names that are numbers": '"","2019","2020","2021"\n"1",1,2,3\n"2",4,5,6\n',
    "R's write.table": '"a" "b" "c"\n"1" 1 2 3\n"2" 4 5 6\n',
    "R's write.table without quotes": "a b c\n1 1 2 3\n2 4 5 6\n",
    "R's write.table with semicolons": '"a";"b";"c"\n"x";1;2;3\n"y";4;5;6\n',
    "R's write.table with commas": "a,b,c\nx,1,2,3\ny,4,5,6\n",
  };

  it.each(Object.entries(labelled))("leaves out the header and the row names of %s", (_, text) => {
    expect(read(text)).toEqual(small);
    expect(table(text).note).toMatch(/taken for 2×3: .*a header; the first column has row names.*--index/);
    expect(read(text, { header: true, index: true })).toEqual(small);
    expect(
      table(text, { header: true, index: true, delimiter: text.match(/[,;\t ]/)![0] }).note,
    ).toBeUndefined();
    expect(why(text, { header: false, index: false })).toMatch(/^line/);
  });

  it("refuses what may be an index or a header and may be numbers, naming the option", () => {
    const either = "0,1,2\n3,4,5\n6,7,8\n";
    expect(why(either)).toMatch(/first row counts from 0 to 2.*--header yes or --header no/);
    expect(read(either, { header: true })).toEqual([
      [3, 4, 5],
      [6, 7, 8],
    ]);
    expect(read(either, { header: false })).toHaveLength(3);
    expect(why("0 1\n5 6\n")).toMatch(/--header/);
    expect(read("0,1,2\n")).toEqual([[0, 1, 2]]);
    expect(why('"1","2"\n5,6\n')).toMatch(/in quotes.*--header/);
    expect(why("id,a,b\n0,1,2\n1,3,4\n")).toMatch(/"id", counts the rows; --index yes/);
    expect(why("Unnamed: 0,a,b\n0,1,2\n1,3,4\n")).toMatch(/--index yes/);
    expect(read("id,a,b\n0,1,2\n1,3,4\n", { index: true })).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(read("id,a\n0,1\n1,3\n", { index: false })).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(why("x,1,2\ny,3,4\n")).toMatch(/--index yes.*--header yes/);
    expect(read("x,1,2\ny,3,4\n", { index: true })).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(why("name,a,b\nx,1,2\ny,3,4\n")).toMatch(/row 0, column 0 .*--index yes/);
    expect(why("a,b\n0.5,1,2\n7,3,4\n")).toMatch(/header 2; --index yes/);
    expect(why("a,b\n1,1,2\n7,3,4\n")).toMatch(/does not count on; --index yes/);
    expect(why("a,b\n1,1,2\n", { index: false })).toMatch(/has 3 fields, the header 2/);
    expect(why(",,a\n0,1,2\n")).toMatch(/row 0, column 0/);
    expect(why("a,,c\n1,2,3\n")).toMatch(/row 0, column 1/);
    expect(read("a,,c\n1,2,3\n", { header: true })).toEqual([[1, 2, 3]]);
    expect(why("x\ny\n", { index: true })).toMatch(/no column beside/);
    expect(why("1\n2\n", { index: true })).toMatch(/no column beside/);
  });

  it("says what it took that nobody told it, and nothing of plain numbers", () => {
    for (const text of ["1,2,3\n4,5,6\n", "5", "1\n2\n3\n", '"1",2,3\n'])
      expect(table(text).note).toBeUndefined();
    const said: readonly (readonly [string, RegExp])[] = [
      ["a,b\n5,6\n", /^taken for 1×2: the first row is a header \(--header says otherwise\)$/],
      ["1 2 3\n4 5 6\n", /fields separated by spaces \(--delimiter/],
      ["1.5;2\n4;5\n", /semicolons; decimal points \(--delimiter and --decimal say otherwise\)/],
      ["# a b\n1,2.5\n", /1 line with # left out$/],
      ["1,2,\n3,4,\n", /nothing follows the last delimiter/],
      ["0,5\n1,6.5\n2,7\n", /first column, which counts the rows, is read as numbers \(--index/],
      ["x,y\n0,5\n1,6\n", /header; the first column, which counts/],
      ["2019,2020,2021\n0.5,1,2\n", /first row, of consecutive integers, is read as numbers/],
    ];
    for (const [text, note] of said) expect(table(text).note, text).toMatch(note);
    expect(table("2019,2020,2021\n5,1,2\n").note).toBeUndefined();
  });

  it("does not lose a row to what looks like a comment or a blank line", () => {
    expect(why("1,2\n#N/A,4\n5,6\n")).toMatch(/line 2: .*spreadsheet/);
    expect(why("1\t2\n\t\n3\t4\n")).toMatch(/line 2/);
    expect(why('1,2\n"#c",4\n')).toMatch(/row 1, column 0/);
  });

  it("takes quotes and delimiters within a quoted name", () => {
    expect(read('"a ""x, y""",b\n1,2\n3,4\n')).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(read(',a,b\n"x, ""1""",1,2\n"y",3,4\n')).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("reads any numbers under any names, however they are laid out", () => {
    const name = fc
      .stringMatching(/^[A-Za-zäß_][A-Za-z0-9 _.]{0,8}$/)
      .filter((text) => kindOfText(text) === "name");
    const layout = fc.record({
      rows: fc.array(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      names: fc.array(name, { minLength: 3, maxLength: 3 }),
      by: fc.constantFrom(",", ";", "\t", "|"),
      index: fc.constantFrom("none", "empty", "short"),
      quoted: fc.boolean(),
      end: fc.constantFrom("\n", "\r\n"),
      decimal: fc.constantFrom(".", ","),
    });
    fc.assert(
      fc.property(layout, ({ rows, names, by, index, quoted, end, decimal }) => {
        fc.pre(by !== decimal && !(rows.length > 1 && /^(id|idx|no|nr|row|index)/i.test(names[0])));
        const text = (word: string) => (quoted ? `"${word}"` : word);
        const number = (x: number) => (Object.is(x, -0) ? "-0" : String(x)).replace(".", decimal);
        const head = [...(index === "empty" ? [text("")] : []), ...names.map(text)].join(by);
        const body = rows.map((row, i) =>
          [...(index === "none" ? [] : [text(`row${i}`)]), ...row.map(number)].join(by),
        );
        const options: CsvOptions = decimal === "," ? { decimal } : {};
        expect(read([head, ...body].join(end), options)).toEqual(rows);
      }),
      { numRuns: 500 },
    );
  });

  const samples = [
    ",a\n0,1\n1,2\n",
    "sep=;\n1;2\n",
    '"a" "b"\n"1" 1 2\n',
    "1,2.5\n-3e2,4\n",
    "a;b\n1;2\n3;4\n",
    '# c\n"1","2"\n3,4\n',
    "1 2\n3 4\n",
    "1\t2\t\n3\t4\t\n",
  ];

  it("reads or refuses a file that is cut short at any byte", () => {
    for (const text of samples) {
      for (let length = 0; length < text.length; length++) readOrRefuse(utf8(text.slice(0, length)), "x.csv");
    }
  });

  it("reads or refuses whatever a file is turned into, in memory that its size allows", () => {
    for (const text of samples) {
      fc.assert(
        fc.property(mutations(utf8(text)), (mutated) => {
          const largest = largestAllocation(() => readOrRefuse(mutated, "x.csv"));
          expect(largest).toBeLessThan(16 * mutated.length + 1000);
        }),
        { numRuns: 800 },
      );
    }
  });
});

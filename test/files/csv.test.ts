import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCsv } from "../../src/files/csv.js";
import { memorySource } from "../../src/files/source.js";
import { NonFiniteError } from "../../src/matrix/errors.js";
import { expand } from "./expand.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { latin1 } from "./writers.js";

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => expand(readCsv(memorySource(utf8(text))));
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

  it("refuses a header with an empty field, as over a column of row names", () => {
    expect(refused(",a,b\n0,1,2\n1,3,4\n")).toMatch(/row names/);
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

  const samples = [
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

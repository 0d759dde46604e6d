// Prints what Microsoft's parser of KQL says of queries on Application Insights, one complaint a line.
// node kql.js PARSER_FOLDER QUERY...
const { readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const { runInThisContext } = require("node:vm");

const common = "timestamp: datetime, itemType: string, customDimensions: dynamic, operation_Id: string, "
  + "operation_Name: string, operation_ParentId: string, cloud_RoleName: string, itemCount: int";
const tables = {
  traces: "message: string, severityLevel: int",
  requests: "id: string, name: string, url: string, success: string, resultCode: string, duration: real",
  dependencies: "id: string, name: string, target: string, type: string, data: string, success: string, "
    + "resultCode: string, duration: real",
  exceptions: "type: string, outerMessage: string, problemId: string, severityLevel: int",
};

const [folder, ...queries] = process.argv.slice(2);
globalThis.window = globalThis; // where the parser, made for browsers, puts what it defines
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  runInThisContext(readFileSync(join(folder, file), "utf8"), file);
}
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const symbols = Object.entries(tables).map(
  ([name, columns]) => new Symbols.TableSymbol.$ctor7(name, `(${common}, ${columns})`, null));
const known = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("insights", symbols));

for (const query of queries) {
  const text = readFileSync(query, "utf8");
  const found = KustoCode.ParseAndAnalyze(text, known).GetDiagnostics();
  for (let number = 0; number < found.Count; number++) {
    const { Start, Message } = found.getItem(number);
    console.log(`${basename(query)}:${text.slice(0, Start).split("\n").length}: ${Message}`);
  }
}

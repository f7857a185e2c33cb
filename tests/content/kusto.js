// Checks KQL with Kusto's language service. Takes a JSON list on stdin, of {tables: {name: {column: type}},
// parser: body, queries: {name: text}}; gives a list of {name: {errors: [text], columns: {name: type}}}.
require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next");

const { KustoCode, GlobalState, Symbols } = Kusto.Language;

function list(items) {
  const found = [];
  for (const each = Bridge.getEnumerator(items); each.moveNext(); ) found.push(each.Current);
  return found;
}

function table([name, columns]) {
  const types = Object.entries(columns).map(([column, type]) => `['${column}']:${type}`);
  return Symbols.TableSymbol.From(`(${types.join(",")})`).WithName(name);
}

function check(text, globals) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const columns = code.ResultType && code.ResultType.Columns ? list(code.ResultType.Columns) : [];
  const errors = list(code.GetDiagnostics()).filter((one) => one.Severity === "Error");
  return {
    errors: errors.map((one) => `${one.Code} ${one.Message} (${text.substr(one.Start, one.Length)})`),
    columns: Object.fromEntries(columns.map((column) => [column.Name, column.Type.Name])),
  };
}

function answer(asked) {
  const body = new Symbols.FunctionSymbol.$ctor16("SentinelOne", "()", asked.parser, null);
  const tables = Object.entries(asked.tables).map(table);
  const database = new Symbols.DatabaseSymbol.ctor("workspace", [...tables, body]);
  const globals = GlobalState.Default.WithDatabase(database);
  const answers = Object.entries(asked.queries).map(([name, text]) => [name, check(text, globals)]);
  return Object.fromEntries(answers);
}

console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(answer)));

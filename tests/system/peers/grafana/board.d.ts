// What a board of ours must be, said by two packages of Grafana's own types.
import type { Dashboard as Schema } from "@grafana/schema";
import type { Dashboard as Sdk, Panel, RowPanel, VariableModel } from "@grafana/grafana-foundation-sdk/dashboard";

// Both declare enumerations; JSON has their values.
type Plain<T> = T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends (infer U)[]
        ? Plain<U>[]
        : T extends object
          ? { [K in keyof T]: Plain<T[K]> }
          : T;

// Grafana keeps the text of a variable's query as `definition` besides; neither package has it.
type Defined = { definition?: string };
// Links of a panel are declared as those of a board; Grafana itself saves them with these keys only.
type Linked<T> = T extends unknown
    ? Omit<T, "links"> & { links?: { title: string; url: string; targetBlank?: boolean }[] }
    : never;

type SchemaPanel = NonNullable<Schema["panels"]>[number];
type SchemaVariable = NonNullable<NonNullable<Schema["templating"]>["list"]>[number];

export type SchemaBoard = Omit<Plain<Schema>, "panels" | "templating"> & {
    panels: Linked<Plain<SchemaPanel>>[];
    templating: { list: (Plain<SchemaVariable> & Defined)[] };
};

// The second package leaves queries to each data source: this is how InfluxQL is asked.
type Query = {
    refId: string;
    datasource: { type: "influxdb"; uid: string };
    query: string;
    rawQuery: true;
    resultFormat: "time_series" | "table" | "logs";
    alias?: string;
    hide?: boolean;
};

type StrictPanel = Linked<Omit<Plain<Panel>, "targets">> & { targets?: Query[] };

export type SdkBoard = Omit<Plain<Sdk>, "panels" | "templating"> & {
    panels: (StrictPanel | Plain<RowPanel>)[];
    templating: { list: (Plain<VariableModel> & Defined)[] };
};

import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { bytesInMemory } from '../../datasets/byte-source.ts';
import { readRows } from '../../datasets/rows.ts';
import type { Row } from '../../features/cell-table.ts';
import type { Sample } from '../../features/encoder.ts';

/** Months of the dataset, January to June 2001. */
export const monthNames = ['January', 'February', 'March', 'April', 'May', 'June'] as const;

/** Flights of each month: where it begins in the file, and the length of a stream not yet read. */
export const flightsOfMonth = [508_241, 458_171, 511_499, 501_032, 518_830, 502_227] as const;

const flightSchema = z.object({
  date: z.date(),
  delay: z.coerce.number(),
  distance: z.coerce.number(),
  origin: z.string(),
  destination: z.string(),
});

/** A flight as a row of a dataset. */
export type Flight = {
  /** The day of departure, as in `2001-02-28`. */
  readonly day: string;
  readonly hour: number;
  readonly weekday: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
  /** Whether it left more than 15 minutes late. */
  readonly late: boolean;
};

/**
 * The US domestic flights of some months in the order of their departure, in chunks of one month
 * each: `flights-3m.parquet` of the npm package vega-datasets (from the US Bureau of Transportation
 * Statistics).
 *
 * @param first,last months, 0 for January to 5 for June
 */
export async function* readFlights(
  first: number,
  last: number,
): AsyncGenerator<{ readonly month: number; readonly flights: readonly Flight[] }> {
  const file = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'));
  const bytes = bytesInMemory(await readFile(file));
  const before = flightsOfMonth.slice(0, first).reduce((sum, flights) => sum + flights, 0);
  const from = { at: before, line: before + 1 };
  for await (const { rows } of readRows({ name: file.pathname, bytes, from })) {
    const months = Map.groupBy(Array.from(rows, toFlight), monthOf);
    for (const [month, flights] of months) {
      if (month > last) return;
      yield { month, flights };
    }
  }
}

/** A flight as a sample of a message. */
export function toSample({ day: _, late, ...features }: Flight): Sample {
  return { features, label: late };
}

/** 0 for January. */
function monthOf({ day }: Flight): number {
  return Number(day.slice(5, 7)) - 1;
}

function toFlight(row: Row): Flight {
  const { date, delay, distance, origin, destination } = flightSchema.parse(row);
  // The last minute of a day is written as 24:00, which reads as the next day's first.
  const day = new Date(date.getTime() - 60_000);
  return {
    day: day.toISOString().slice(0, 10),
    hour: date.getUTCHours(),
    weekday: date.getUTCDay(),
    distance,
    origin,
    destination,
    late: delay > 15,
  };
}

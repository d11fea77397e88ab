// Writes the pages that are made from code: `npm run docs`.
import { writeFileSync } from "node:fs";
import { doctorPage } from "../src/doctor/page.ts";
import { environmentPage } from "../src/node/environment-page.ts";

writeFileSync("docs/environment.md", environmentPage());
writeFileSync("docs/doctor.md", doctorPage());

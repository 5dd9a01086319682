// SPDX-License-Identifier: Apache-2.0
// This is where tus-js-client, as it is published, uploads a file: node upload.mjs ENDPOINT TOKEN FILE [CHUNK_BYTES]
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, token, file, chunk] = process.argv.slice(2);
const upload = new Upload(createReadStream(file), {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: file.split("/").pop(), filetype: "video/mp4" },
  chunkSize: chunk ? Number(chunk) : Infinity,
  uploadSize: statSync(file).size,
  retryDelays: Array(20).fill(50),
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(JSON.stringify({ url: upload.url })),
});
upload.start();

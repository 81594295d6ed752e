# A machine that runs `npm start` and `npm test`:
#   docker build -t sjd2 .
#   docker run --rm -v "$PWD/pictures:/sjd2/pictures" sjd2 npm start
#   docker run --rm sjd2 npm test
# For a GPU, start from an image that has CUDA's torch, and set SJD2_PYTHON to its Python.
FROM node:22-bookworm-slim

# Python for the worker; chromium for the tests of the report
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv chromium git \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /sjd2
COPY . .
# Sets up node_modules and .venv, so that the image starts at once
RUN node -e "import('./setup/script.mjs').then(({ setUp }) => setUp({ extra: 'dev' }))"

CMD ["npm", "start"]

# Generated files are committed, so the build needs only Go.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /usher ./cmd/usher

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usher /usher
ENV APP_ENV=production ADDR=:4312
USER 65532:65532
EXPOSE 4312
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["/usher", "healthcheck"]
ENTRYPOINT ["/usher"]

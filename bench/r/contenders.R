# The contenders in R, behind the protocol that contenders/answering.ts describes. The thread count of the BLAS is set
# by the environment before R starts.

say <- function(text) {
  cat(text, "\n", sep = "")
  flush(stdout())
}
has <- function(name) suppressWarnings(suppressMessages(requireNamespace(name, quietly = TRUE)))
quoted <- function(text) paste0('"', gsub('[\\\\"\n\t]', " ", text), '"')
numbers <- function(x) paste(sprintf("%.17g", x), collapse = ",")

A <- NULL
calls <- list()
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."))
if (has("irlba")) {
  versions$irlba <- as.character(packageVersion("irlba"))
  calls[["irlba(nv=1)"]] <- function() irlba::irlba(A, nv = 1, nu = 1)
  calls[["irlba(nv=1, tol=1e-10)"]] <- function() irlba::irlba(A, nv = 1, nu = 1, tol = 1e-10)
}
if (has("RSpectra")) {
  versions$RSpectra <- as.character(packageVersion("RSpectra"))
  calls[["RSpectra svds(k=1)"]] <- function() RSpectra::svds(A, k = 1)
}
versions[["BLAS of R"]] <- basename(dirname(normalizePath(extSoftVersion()[["BLAS"]], mustWork = FALSE)))

answer <- function(words) {
  if (words[1] == "load") {
    size <- as.integer(words[4:6])
    count <- prod(size)
    A <<- matrix(readBin(words[2], "double", count), size[2], size[3], byrow = TRUE)
    return("{}")
  }
  if (words[1] == "time") {
    call <- calls[[words[2]]]
    # The seed is the same, so that the call whose answer is checked is the one that was timed.
    set.seed(1)
    begin <- Sys.time()
    for (i in seq_len(as.integer(words[3]))) call()
    took <- as.numeric(Sys.time() - begin, units = "secs")
    return(sprintf('{"ms":%.17g}', took * 1000))
  }
  if (words[1] == "answer") {
    set.seed(1)
    found <- calls[[words[2]]]()
    u <- as.numeric(found$u[, 1])
    v <- as.numeric(found$v[, 1])
    writeBin(c(u, v), words[3])
    return(sprintf('{"sigmas":[%s],"parts":[["u",%d],["v",%d]]}', numbers(found$d[1]), length(u), length(v)))
  }
  A <<- NULL
  gc()
  "{}"
}

pairs <- paste(quoted(names(versions)), quoted(unlist(versions)), sep = ":", collapse = ",")
say(sprintf('{"versions":{%s},"names":[%s]}', pairs, paste(quoted(names(calls)), collapse = ",")))

# As allocator.ts says.
invisible(raw(31 * 2^20))
invisible(gc())

input <- file("stdin", "r")
repeat {
  line <- readLines(input, n = 1)
  if (length(line) == 0) break
  say(tryCatch(
    suppressWarnings(answer(strsplit(line, "\t", fixed = TRUE)[[1]])),
    error = function(e) sprintf('{"error":%s}', quoted(conditionMessage(e)))
  ))
}

//! Tables from people's files and back. Knows no records: cells in, cells out.

use std::io;

/// A folder of files as the log needs it. What is written may be lost until it is synced; that a file exists, and its name,
/// outlive a crash when the call returns.
pub trait Disk {
    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Reads a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes a file of so many zeros that are really there: writing over them needs no room. On an error there is none.
    fn create(&mut self, name: &str, octets: usize) -> io::Result<()>;
    /// Writes over part of a file.
    fn write(&mut self, name: &str, at: usize, data: &[u8]) -> io::Result<()>;
    /// Makes durable what was written to a file.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}
